//! Which certificate authorities the clients trust.

use std::sync::{Arc, LazyLock};

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const AMAZON: &[u8] = include_bytes!("amazon_roots.pem");

/// The certificate authorities that a client trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roots {
    /// Those of Amazon alone. All public endpoints of AWS have certificates of theirs, and reading the list of the system
    /// takes most of a function's start.
    Amazon,
    /// Those of the system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    System,
}

impl Roots {
    pub(crate) fn context(self) -> TlsContext {
        let store = match self {
            Self::Amazon => TrustStore::empty().with_pem_certificate(AMAZON),
            Self::System => TrustStore::default(),
        };
        // Building fails for no context: the certificates are parsed when a connector is made.
        TlsContext::builder().with_trust_store(store).build().unwrap_or_default()
    }

    /// Returns what a connection of ours needs for TLS. Certificates that cannot be read are left out, and their servers are not
    /// trusted.
    ///
    /// # Errors
    /// The TLS library knows none of its own protocol versions.
    pub fn tls(self) -> Result<ClientConfig, tokio_rustls::rustls::Error> {
        static SYSTEM: LazyLock<Vec<CertificateDer<'static>>> =
            LazyLock::new(|| rustls_native_certs::load_native_certs().certs);
        let mut store = RootCertStore::empty();
        match self {
            Self::Amazon => store.add_parsable_certificates(CertificateDer::pem_slice_iter(AMAZON).flatten()),
            Self::System => store.add_parsable_certificates(SYSTEM.iter().cloned()),
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(store).with_no_client_auth())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest as _, Sha256};

    /// As Amazon publishes them (<https://www.amazontrust.com/repository/>).
    const FINGERPRINTS: [&str; 5] = [
        "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
        "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
        "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
        "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
        "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
    ];

    /// The certificates in their binary form (DER).
    fn certificates() -> Vec<Vec<u8>> {
        let text = std::str::from_utf8(AMAZON).unwrap();
        let blocks = text.split("-----BEGIN CERTIFICATE-----").skip(1);
        let base64 = blocks.map(|block| block.split("-----END CERTIFICATE-----").next().unwrap().replace('\n', ""));
        base64.map(|text| STANDARD.decode(text).unwrap()).collect()
    }

    /// The end of a certificate's validity: the second of two times in a row (RFC 5280 §4.1.2.5), which both are `YYMMDDHHMMSSZ`
    /// before the year 2050.
    fn expires(certificate: &[u8]) -> SystemTime {
        let is_time = |at: usize| certificate.get(at..at + 2) == Some(&[0x17, 13][..]);
        let first = (0..certificate.len()).find(|at| is_time(*at) && is_time(at + 15)).unwrap();
        let text = std::str::from_utf8(&certificate[first + 17..first + 30]).unwrap();
        let number = |at: usize| text[at..at + 2].parse::<u64>().unwrap();
        let (year, month, day) = (2000 + number(0), number(2), number(4));
        // Days since 1970, a day or two too few: months count 30 days.
        let days = (year - 1970) * 365 + (year - 1969) / 4 + (month - 1) * 30 + day - 1;
        UNIX_EPOCH + Duration::from_secs(days * 86_400)
    }

    #[test]
    fn the_roots_are_exactly_those_of_amazon() {
        let found: Vec<String> = certificates()
            .iter()
            .map(|certificate| Sha256::digest(certificate).iter().map(|byte| format!("{byte:02x}")).collect())
            .collect();
        assert_eq!(found, FINGERPRINTS);
        let comments: Vec<&str> = std::str::from_utf8(AMAZON)
            .unwrap()
            .lines()
            .filter_map(|line| line.strip_prefix("# SHA-256 ")?.split(',').next())
            .collect();
        assert_eq!(comments, FINGERPRINTS, "the comments say the same");
    }

    #[test]
    fn no_root_expires_within_a_year() {
        let next_year = SystemTime::now() + Duration::from_secs(366 * 86_400);
        for (certificate, fingerprint) in certificates().iter().zip(FINGERPRINTS) {
            let end = expires(certificate);
            assert!(end > next_year, "{fingerprint} expires at {end:?}: take Amazon's newer roots");
        }
        // The first of them ends on 17 January 2038.
        let known = UNIX_EPOCH + Duration::from_secs(2_147_299_200);
        let end = expires(&certificates()[0]);
        assert!(end <= known && known.duration_since(end).unwrap() < Duration::from_secs(5 * 86_400), "{end:?}");
    }
}
