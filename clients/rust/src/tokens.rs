//! The form of access tokens. Holdfast alone decides whether a token belongs to a live session.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// No token is longer. Longer text is refused without a call.
const MAX_LENGTH: usize = 512;

/// Returns whether a text can be a token at all: 1 to 512 visible ASCII characters.
pub(crate) fn can_be_token(text: &str) -> bool {
    (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Returns whether a text has the form and the checksum of an access token. It chooses between several cookies of one name only.
pub(crate) fn is_well_formed(text: &str) -> bool {
    let Some((body, checksum)) = text.rsplit_once('.') else { return false };
    let parts: Vec<&str> = body.split('.').collect();
    // Owner (16 bytes), place (a digit) and secret (32 bytes), in base64url.
    let [version, owner, place, secret] = parts[..] else { return false };
    let is_base64url = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    version == "hf1"
        && (owner.len() == 22 && is_base64url(owner))
        && (place.len() == 1 && place.as_bytes()[0].is_ascii_digit())
        && (secret.len() == 43 && is_base64url(secret))
        && URL_SAFE_NO_PAD.encode(crc32fast::hash(body.as_bytes()).to_be_bytes()) == checksum
}
