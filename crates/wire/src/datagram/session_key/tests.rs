//! Key texts, and the cipher by the sample results of RFC 7253, appendix A.

use aes::Aes128;
use ocb3::aead::AeadInOut as _;
use zeroize::ZeroizeOnDrop;

use super::*;
use crate::datagram::tests::bytes;

#[test]
fn a_key_that_mosh_would_refuse_is_refused() {
    let refused = |text: &str| text.parse::<SessionKey>().expect_err("no key");
    assert_eq!(refused(""), NotASessionKey::Length(0));
    assert_eq!(refused("hfU7Nf6lSSqnJS0qVBe69"), NotASessionKey::Length(21));
    assert_eq!(refused("hfU7Nf6lSSqnJS0qVBe69Q=="), NotASessionKey::Length(24));
    assert_eq!(refused("hfU7Nf6lSSqnJS0qVBe69="), NotASessionKey::NotBase64);
    assert_eq!(refused("hfU7Nf6lSSqnJS-qVBe69Q"), NotASessionKey::NotBase64, "not the URL's alphabet");
    assert_eq!(refused("hfU7Nf6lSSqnJS0qVBe69R"), NotASessionKey::NotBase64, "a bit after the 128th");
    assert_eq!(refused("hfU7Nf6lSSqnJS0qVBe6é"), NotASessionKey::NotBase64);
}

#[test]
fn both_signs_of_the_standard_alphabet_are_taken() {
    assert!("+/+/+/+/+/+/+/+/+/+/+A".parse::<SessionKey>().is_ok());
}

#[test]
fn neither_a_key_nor_an_error_shows_the_secret() {
    let key: SessionKey = "hfU7Nf6lSSqnJS0qVBe69Q".parse().unwrap();
    assert_eq!(format!("{key:?}"), "SessionKey { .. }");
    let error = "secretsecretsecretsecr".repeat(2).parse::<SessionKey>().expect_err("too long");
    assert_eq!(error.to_string(), "a session key has 22 characters, got 44 bytes");
}

#[test]
fn what_is_dropped_is_overwritten_first() {
    fn is_cleared_on_drop<T: ZeroizeOnDrop>() {}
    is_cleared_on_drop::<Aes128>();
    let mut key: SessionKey = "hfU7Nf6lSSqnJS0qVBe69Q".parse().unwrap();
    key.forget();
    let zero: SessionKey = "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
    assert_eq!(encrypt(key.cipher(), 1, &[], &[1]), encrypt(zero.cipher(), 1, &[], &[1]));
}

/// The last byte of the nonce, the length of the associated data and of the plaintext, which both count up from 0,
/// and ciphertext with tag.
const SAMPLES: [(u8, u8, u8, &str); 16] = [
    (0x00, 0, 0, "785407bfffc8ad9edcc5520ac9111ee6"),
    (0x01, 8, 8, "6820b3657b6f615a5725bda0d3b4eb3a257c9af1f8f03009"),
    (0x02, 8, 0, "81017f8203f081277152fade694a0a00"),
    (0x03, 0, 8, "45dd69f8f5aae72414054cd1f35d82760b2cd00d2f99bfa9"),
    (0x04, 16, 16, "571d535b60b277188be5147170a9a22c3ad7a4ff3835b8c5701c1ccec8fc3358"),
    (0x05, 16, 0, "8cf761b6902ef764462ad86498ca6b97"),
    (0x06, 0, 16, "5ce88ec2e0692706a915c00aeb8b2396f40e1c743f52436bdf06d8fa1eca343d"),
    (0x07, 24, 24, "1ca2207308c87c010756104d8840ce1952f09673a448a122c92c62241051f57356d7f3c90bb0e07f"),
    (0x08, 24, 0, "6dc225a071fc1b9f7c69f93b0f1e10de"),
    (0x09, 0, 24, "221bd0de7fa6fe993eccd769460a0af2d6cded0c395b1c3ce725f32494b9f914d85c0b1eb38357ff"),
    (
        0x0a,
        32,
        32,
        "bd6f6c496201c69296c11efd138a467abd3c707924b964deaffc40319af5a48540fbba186c5553c6\
     8ad9f592a79a4240",
    ),
    (0x0b, 32, 0, "fe80690bee8a485d11f32965bc9d2a32"),
    (
        0x0c,
        0,
        32,
        "2942bfc773bda23cabc6acfd9bfd5835bd300f0973792ef46040c53f1432bcdfb5e1dde3bc18a5f8\
     40b52e653444d5df",
    ),
    (
        0x0d,
        40,
        40,
        "d5ca91748410c1751ff8a2f618255b68a0a12e093ff454606e59f9c1d0ddc54b65e8628e568bad7a\
     ed07ba06a4a69483a7035490c5769e60",
    ),
    (0x0e, 40, 0, "c5cd9d1850c141e358649994ee701b68"),
    (
        0x0f,
        0,
        40,
        "4412923493c57d5de0d700f753cce0d1d2d95060122e9f15a5ddbfc5787e50b5cc55ee507bcb084e\
     479ad363ac366b95a98ca5f3000b1479",
    ),
];

#[test]
fn the_sample_results_come_out_and_are_read_back() {
    let cipher = Cipher::new(counting(16)[..].try_into().unwrap());
    for (last, associated, length, expected) in SAMPLES {
        let mut nonce: [u8; 12] = bytes("bbaa99887766554433221100").try_into().unwrap();
        nonce[11] = last;
        let (associated, plaintext) = (counting(associated), counting(length));
        let mut text = plaintext.clone();
        let tag =
            cipher.encrypt_inout_detached(&nonce.into(), &associated, text.as_mut_slice().into()).unwrap();
        assert_eq!([&text[..], &tag].concat(), bytes(expected), "{last:#x}");
        cipher.decrypt_inout_detached(&nonce.into(), &associated, text.as_mut_slice().into(), &tag).unwrap();
        assert_eq!(text, plaintext, "{last:#x}");
    }
}

/// The algorithm at the end of the appendix, for a key of 128 and a tag of 128 bits.
#[test]
fn the_wide_variety_of_inputs_gives_the_result_of_the_rfc() {
    let mut key = [0; 16];
    key[15] = 128;
    let cipher = Cipher::new(&key.into());
    let mut gathered = Vec::new();
    for length in 0..128_u8 {
        let (zeros, number) = (vec![0; length.into()], 3 * u64::from(length));
        gathered.extend(encrypt(&cipher, number + 1, &zeros, &zeros));
        gathered.extend(encrypt(&cipher, number + 2, &[], &zeros));
        gathered.extend(encrypt(&cipher, number + 3, &zeros, &[]));
    }
    let tables_for_all: Ocb3<Aes128, U12, U16> = Ocb3::new(&key.into());
    let tag = tables_for_all.encrypt_inout_detached(&nonce(385), &gathered, (&mut [][..]).into()).unwrap();
    assert_eq!(tag[..], bytes("67e944d23256c5e0b6c61fa22fdf1ea2"));
}

fn encrypt(cipher: &Cipher, number: u64, associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut text = plaintext.to_vec();
    let tag = cipher.encrypt_inout_detached(&nonce(number), associated, text.as_mut_slice().into()).unwrap();
    text.extend(tag);
    text
}

fn nonce(number: u64) -> ocb3::Nonce<U12> {
    super::super::padded(number.to_be_bytes()).into()
}

fn counting(length: u8) -> Vec<u8> {
    (0..length).collect()
}
