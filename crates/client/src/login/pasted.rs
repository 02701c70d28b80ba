//! Words for a message, so that they can be pasted into a shell.

use std::ffi::OsString;

use wire::shell::quoted;

use crate::configuration::Configuration;

/// Quoted where they take more.
pub(crate) fn pasted(words: &[OsString]) -> String {
    let words: Vec<_> = words.iter().map(|word| pasted_word(&word.to_string_lossy())).collect();
    words.join(" ")
}

pub(crate) fn pasted_word(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=@%+,".contains(character);
    match word.chars().all(is_plain) && !word.is_empty() {
        true => word.to_owned(),
        false => String::from_utf8_lossy(&quoted(word.as_bytes())).into_owned(),
    }
}

/// What puts moshpunch onto the host that a configuration is for.
pub(crate) fn installation(configuration: &Configuration) -> String {
    let Configuration { host, ssh, .. } = configuration;
    let is_usual = *ssh == ["ssh"];
    let option = (!is_usual).then(|| format!("--ssh={}", pasted(ssh)));
    let words = ["moshpunch".to_owned(), "--install".into()].into_iter().chain(option).chain([host.clone()]);
    pasted(&words.map(OsString::from).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_can_be_pasted_into_a_shell() {
        for (words, expected) in [
            (&["ssh", "-p", "22", "alice@host"][..], "ssh -p 22 alice@host"),
            (&["ssh", "-o", "ProxyCommand=nc %h 22"], "ssh -o 'ProxyCommand=nc %h 22'"),
            (&["/opt/my ssh", "it's", ""], r"'/opt/my ssh' 'it'\''s' ''"),
            (&["ssh", "-i", "~/key", "$HOME", "[fe80::1%eth0]"], "ssh -i '~/key' '$HOME' '[fe80::1%eth0]'"),
        ] {
            let words: Vec<_> = words.iter().map(OsString::from).collect();
            assert_eq!(pasted(&words), expected);
        }
    }
    #[test]
    fn the_call_that_installs_says_how_to_log_in() {
        let by = |ssh: &[&str]| {
            let ssh = ssh.iter().map(OsString::from).collect();
            installation(&Configuration { ssh, ..Configuration::of("alice@host") })
        };
        assert_eq!(by(&["ssh"]), "moshpunch --install alice@host");
        assert_eq!(by(&["ssh", "-p", "22"]), "moshpunch --install '--ssh=ssh -p 22' alice@host");
    }
}
