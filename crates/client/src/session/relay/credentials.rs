//! Who we are to a TURN server, which relays for nobody that it does not know.

use base64ct::{Base64, Encoding};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use turn_client_proto::types::TurnCredentials;
use zeroize::Zeroizing;

use crate::configuration::Configuration;
use crate::configuration::secret::Secret;

/// A server looks at it when it is asked for an address, and not again.
const LIFETIME_SECONDS: u64 = 24 * 3_600;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    Password {
        user: String,
        password: Secret,
    },
    /// What the server makes passwords of, as coturn does with `use-auth-secret`.
    Shared {
        user: Option<String>,
        secret: Secret,
    },
}

impl Credentials {
    /// # Errors
    ///
    /// What is wrong with what was said, or with the file, and what to do.
    pub(crate) fn read(configuration: &Configuration) -> Result<Self, String> {
        let user = configuration.turn_user.clone();
        match (&configuration.turn_password_file, &configuration.turn_secret_file, user) {
            (Some(_), Some(_), _) => Err(
                "both turn_password_file and turn_secret_file are said; say the one that the server wants"
                    .into(),
            ),
            (None, None, _) => Err("a TURN server wants to know whom it relays for; say turn_user and \
                                    turn_password_file, or turn_secret_file"
                .into()),
            (Some(_), None, None) => {
                Err("turn_password_file is said, but not whose password it is; say turn_user".into())
            }
            (Some(file), None, Some(user)) => Ok(Self::Password { user, password: Secret::read(file)? }),
            (None, Some(file), user) => Ok(Self::Shared { user, secret: Secret::read(file)? }),
        }
    }

    /// For an allocation at that time, in seconds since 1970.
    pub(super) fn at(&self, time: u64) -> TurnCredentials {
        match self {
            Self::Password { user, password } => TurnCredentials::new(user, password.expose()),
            Self::Shared { user, secret } => {
                let expiry = time + LIFETIME_SECONDS;
                let user =
                    user.as_ref().map_or_else(|| expiry.to_string(), |user| format!("{expiry}:{user}"));
                TurnCredentials::new(&user, &password(secret, &user))
            }
        }
    }
}

fn password(secret: &Secret, user: &str) -> Zeroizing<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes any key");
    mac.update(user.as_bytes());
    Zeroizing::new(Base64::encode_string(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    fn shared(user: Option<&str>) -> Credentials {
        Credentials::Shared { user: user.map(str::to_owned), secret: Secret::new("north".into()) }
    }

    /// As `printf %s 1086400:alice | openssl dgst -sha1 -hmac north -binary | base64` has it.
    #[test]
    fn a_password_is_made_of_the_servers_secret() {
        let made = shared(Some("alice")).at(1_000_000);
        assert_eq!((made.username(), made.password()), ("1086400:alice", "ltY2mBR6FtGBiVBc/HjL8Ek+nlg="));
        let made = shared(None).at(1_000_000);
        assert_eq!((made.username(), made.password()), ("1086400", "DWTUUlGJzG6t7J3GTemRjiqFp1w="));
    }

    #[test]
    fn what_is_missing_or_too_much_is_told_with_the_cure() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        fs::write(&file, "geheim\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let read = |user: Option<&str>, password: Option<&PathBuf>, secret: Option<&PathBuf>| {
            Credentials::read(&Configuration {
                turn_user: user.map(str::to_owned),
                turn_password_file: password.cloned(),
                turn_secret_file: secret.cloned(),
                ..Configuration::of("host")
            })
        };
        let file = Some(&file);
        assert!(read(Some("alice"), file, file).unwrap_err().contains("say the one"));
        assert!(
            read(Some("alice"), None, None).unwrap_err().contains("; say turn_user and turn_password_file")
        );
        assert!(read(None, file, None).unwrap_err().contains("say turn_user"));
        let password = Credentials::Password { user: "alice".into(), password: Secret::new("geheim".into()) };
        assert_eq!(read(Some("alice"), file, None), Ok(password));
        let secret = Secret::new("geheim".into());
        assert_eq!(read(None, None, file), Ok(Credentials::Shared { user: None, secret }));
    }

    #[test]
    fn they_are_shown_by_nothing() {
        assert!(!format!("{:?}", shared(Some("alice"))).contains("north"));
    }
}
