//! The most common passwords that the policy would otherwise accept by their length (ASVS 6.2.4).

use sha2::{Digest as _, Sha256};

/// The 3 000 most common passwords of 12 characters or more, each as the first 8 bytes of the SHA-256 of its small
/// letters, in hexadecimal, sorted. Hashes, because the passwords of strangers are no text for a repository; 8 bytes of
/// them, because a stranger's password is taken for one of these once in 10¹⁵ times.
///
/// Made from Mark Burnett's ten million passwords (2015, public domain), in the order of the first million that OWASP
/// SecLists publishes as `10-million-password-list-top-1000000.txt`.
const MARKS: &str = include_str!("common_passwords.txt");

/// 16 digits and a line feed.
const LINE: usize = 17;

/// Whether `password` is one of them, in any case.
pub(crate) fn is_common(password: &str) -> bool {
    let digest = Sha256::digest(password.to_lowercase().as_bytes());
    let mark: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let (mut low, mut high) = (0, MARKS.len() / LINE);
    while low < high {
        let middle = low.midpoint(high);
        match MARKS[middle * LINE..][..LINE - 1].cmp(&mark) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole_and_in_order() {
        let marks: Vec<&str> = MARKS.lines().collect();
        assert_eq!(marks.len(), 3_000);
        assert!(marks.iter().all(|mark| mark.len() == LINE - 1));
        assert!(marks.is_sorted() && marks.windows(2).all(|two| two[0] != two[1]));
    }

    #[test]
    fn common_passwords_are_found_in_any_case() {
        for password in ["123qweasdzxc", "1QAZ2WSX3EDC", "StairwayToHeaven", "hakunamatata", "worldofwarcraft"] {
            assert!(is_common(password), "{password}");
        }
        for password in ["correct horse battery", "a-long-password-1", "", "0", "ffffffffffffffff"] {
            assert!(!is_common(password), "{password}");
        }
    }
}
