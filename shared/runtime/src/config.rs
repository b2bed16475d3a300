//! Configuration from the environment, validated at start. A missing or malformed value ends the function's start with
//! one line that names the variable; there is no default that opens anything.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;

use holdfast_sessions::mfa;
use holdfast_sessions::policy::{Policy, SignInLimits};

/// A variable that is missing or malformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The name of the variable.
    pub variable: String,
    /// What is wrong with it, without its value.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.variable, self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// The environment of the process, read once.
#[derive(Clone)]
pub struct Env(HashMap<String, String>);

/// Values may be secrets; a debug print shows names only.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Env {
    /// Of this process.
    pub fn of_process() -> Self {
        Self(std::env::vars().collect())
    }

    /// Of these variables; for tests.
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(variables.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
    }

    fn error(variable: &str, problem: impl Into<String>) -> ConfigError {
        ConfigError { variable: variable.to_owned(), problem: problem.into() }
    }

    /// A variable that may be absent; empty counts as absent.
    pub fn optional(&self, variable: &str) -> Option<&str> {
        self.0.get(variable).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable that must have a value.
    pub fn text(&self, variable: &str) -> Result<String, ConfigError> {
        self.optional(variable).map(str::to_owned).ok_or_else(|| Self::error(variable, "is not set"))
    }

    /// A whole number in `range`, or `default` when absent.
    pub fn int(&self, variable: &str, range: RangeInclusive<i64>, default: i64) -> Result<i64, ConfigError> {
        let Some(text) = self.optional(variable) else { return Ok(default) };
        match text.parse::<i64>() {
            Ok(value) if range.contains(&value) => Ok(value),
            _ => {
                Err(Self::error(variable, format!("must be a whole number from {} to {}", range.start(), range.end())))
            }
        }
    }

    /// `true` or `false`.
    pub fn flag(&self, variable: &str) -> Result<bool, ConfigError> {
        match self.optional(variable) {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(Self::error(variable, "must be true or false")),
            None => Err(Self::error(variable, "is not set")),
        }
    }

    /// An `http` or `https` URL, without a trailing slash.
    pub fn url(&self, variable: &str) -> Result<String, ConfigError> {
        let text = self.text(variable)?;
        if text.starts_with("https://") || text.starts_with("http://") {
            Ok(text.trim_end_matches('/').to_owned())
        } else {
            Err(Self::error(variable, "must start with https:// or http://"))
        }
    }

    /// A comma-separated list, possibly empty.
    pub fn list(&self, variable: &str) -> Vec<String> {
        self.optional(variable)
            .map(|text| text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
            .unwrap_or_default()
    }

    /// Whether an endpoint override points at the local cloud.
    pub fn is_local(&self) -> bool {
        self.optional("AWS_ENDPOINT_URL").is_some()
    }

    /// Whether every service of AWS that this process calls shows a certificate of Amazon's own authorities. Public endpoints
    /// do, in the partitions `aws` and `aws-us-gov`. Other partitions have authorities of their own. So may an endpoint
    /// of another party, and a network whose operator names certificates.
    pub fn has_amazon_certificates(&self) -> bool {
        let named = ["AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| self.optional(name).is_some());
        let elsewhere = self.0.iter().any(|(name, value)| {
            let is_endpoint = name.starts_with("AWS_ENDPOINT_URL") || name == "WS_CALLBACK_URL";
            is_endpoint && value.strip_prefix("https://").is_some_and(|rest| !is_of_aws(rest))
        });
        !named && !elsewhere && self.optional("AWS_REGION").is_some_and(is_public_region)
    }

    /// Session limits and lifetimes (docs/api.md).
    pub fn policy(&self) -> Result<Policy, ConfigError> {
        let d = Policy::default();
        let policy = Policy {
            max_sessions: u8::try_from(self.int("MAX_SESSIONS_PER_USER", 1..=10, i64::from(d.max_sessions))?)
                .map_err(|_| Self::error("MAX_SESSIONS_PER_USER", "is out of range"))?,
            access_seconds: self.int("ACCESS_TOKEN_TTL_SECONDS", 1..=86_400, d.access_seconds)?,
            idle_seconds: self.int("SESSION_IDLE_SECONDS", 1..=31_536_000, d.idle_seconds)?,
            absolute_seconds: self.int("SESSION_ABSOLUTE_SECONDS", 1..=31_536_000, d.absolute_seconds)?,
            stay_idle_seconds: self.int("STAY_SIGNED_IN_IDLE_SECONDS", 1..=31_536_000, d.stay_idle_seconds)?,
            stay_absolute_seconds: self.int(
                "STAY_SIGNED_IN_ABSOLUTE_SECONDS",
                1..=31_536_000,
                d.stay_absolute_seconds,
            )?,
            refresh_grace_seconds: self.int("REFRESH_GRACE_SECONDS", 0..=60, d.refresh_grace_seconds)?,
            cache_max_age_seconds: self.int("CACHE_MAX_AGE_SECONDS", 1..=3_600, d.cache_max_age_seconds)?,
        };
        Ok(policy)
    }

    /// Sign-in limits (docs/sign-in.md, Attempts).
    pub fn sign_in_limits(&self) -> Result<SignInLimits, ConfigError> {
        let d = SignInLimits::default();
        Ok(SignInLimits {
            login_seconds: self.int("LOGIN_SESSION_TTL_SECONDS", 300..=600, d.login_seconds)?,
            mfa_seconds: self.int("MFA_SESSION_TTL_SECONDS", 1..=600, d.mfa_seconds)?,
            max_login_attempts: u32::try_from(self.int(
                "MAX_LOGIN_ATTEMPTS",
                1..=1_000_000,
                i64::from(d.max_login_attempts),
            )?)
            .map_err(|_| Self::error("MAX_LOGIN_ATTEMPTS", "is out of range"))?,
            max_mfa_attempts: u8::try_from(self.int("MAX_MFA_ATTEMPTS", 1..=10, i64::from(d.max_mfa_attempts))?)
                .map_err(|_| Self::error("MAX_MFA_ATTEMPTS", "is out of range"))?,
            device_trust_seconds: self.int("DEVICE_TRUST_SECONDS", 1..=31_536_000, d.device_trust_seconds)?,
            device_grace_seconds: self.int("REFRESH_GRACE_SECONDS", 0..=60, d.device_grace_seconds)?,
        })
    }

    /// `MFA_ISSUER`, the name that stands above the e-mail in an authenticator.
    pub fn mfa_issuer(&self) -> Result<String, ConfigError> {
        let issuer = self.optional("MFA_ISSUER").unwrap_or("Holdfast");
        if !mfa::check_issuer(issuer) {
            return Err(Self::error("MFA_ISSUER", "must have 1 to 64 bytes, no colon and no control characters"));
        }
        Ok(issuer.to_owned())
    }

    /// `MAX_REGISTRATIONS_PER_NETWORK`, in an hour.
    pub fn registrations_per_network(&self) -> Result<u32, ConfigError> {
        let name = "MAX_REGISTRATIONS_PER_NETWORK";
        u32::try_from(self.int(name, 1..=1_000_000, 20)?).map_err(|_| Self::error(name, "is out of range"))
    }

    /// Which cache answers validations: the environment alone decides.
    pub fn cache(&self) -> Result<CacheSettings, ConfigError> {
        let provider = match self.text("CACHE_PROVIDER")?.as_str() {
            "dynamodb" => CacheProvider::Dynamodb,
            "redis" => CacheProvider::Redis,
            _ => return Err(Self::error("CACHE_PROVIDER", "must be dynamodb or redis")),
        };
        let server = match provider {
            CacheProvider::Redis => Some(self.cache_server()?),
            // The step between two providers: delete what others may have cached.
            CacheProvider::Dynamodb if self.optional("REDIS_URL").is_some() => Some(self.cache_server()?),
            CacheProvider::Dynamodb => None,
        };
        Ok(CacheSettings { provider, server })
    }

    /// Where the cache server is.
    pub fn cache_server(&self) -> Result<CacheServer, ConfigError> {
        let url = self.text("REDIS_URL")?;
        if !(url.starts_with("redis://") || url.starts_with("rediss://")) {
            return Err(Self::error("REDIS_URL", "must start with rediss:// or redis://"));
        }
        let cluster = self.flag_or("REDIS_CLUSTER", false)?;
        let iam = match self.optional("REDIS_IAM_USER") {
            None => None,
            Some(user) => Some(CacheIam {
                user: user.to_owned(),
                cache: self.text("REDIS_IAM_CACHE")?,
                serverless: self.flag_or("REDIS_IAM_SERVERLESS", false)?,
                region: self.text("AWS_REGION")?,
            }),
        };
        if iam.is_some() && !url.starts_with("rediss://") {
            return Err(Self::error("REDIS_URL", "must start with rediss:// when REDIS_IAM_USER is set"));
        }
        Ok(CacheServer { url, cluster, iam, authority_file: self.optional("REDIS_CA_FILE").map(str::to_owned) })
    }

    /// `true` or `false`, or `default` when absent.
    pub fn flag_or(&self, variable: &str, default: bool) -> Result<bool, ConfigError> {
        if self.optional(variable).is_some() { self.flag(variable) } else { Ok(default) }
    }
}

/// What `CACHE_PROVIDER` and `REDIS_*` say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// The cache that answers validations.
    pub provider: CacheProvider,
    /// The server to read, or, with `dynamodb`, only to delete from.
    pub server: Option<CacheServer>,
}

/// Where the cache server is and how to get in.
#[derive(Clone, PartialEq, Eq)]
pub struct CacheServer {
    /// `REDIS_URL`; may hold a password.
    pub url: String,
    /// `REDIS_CLUSTER`: whether it speaks the cluster protocol.
    pub cluster: bool,
    /// Set when it is entered with IAM tokens.
    pub iam: Option<CacheIam>,
    /// `REDIS_CA_FILE`: PEM file of its certificate authority, where that is not a public one.
    pub authority_file: Option<String>,
}

impl fmt::Debug for CacheServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheServer").field("cluster", &self.cluster).field("iam", &self.iam).finish_non_exhaustive()
    }
}

/// What an IAM token is signed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheIam {
    /// The user of the cache (`REDIS_IAM_USER`).
    pub user: String,
    /// The name of the cache (`REDIS_IAM_CACHE`).
    pub cache: String,
    /// Whether the cache is serverless (`REDIS_IAM_SERVERLESS`).
    pub serverless: bool,
    /// The Region of the cache (`AWS_REGION`).
    pub region: String,
}

/// Values of `CACHE_PROVIDER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheProvider {
    /// Every validation is one strongly consistent read.
    Dynamodb,
    /// Validations are answered by a cache server in front of it.
    Redis,
}

impl CacheProvider {
    /// The text of the provider in the configuration and in health answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            CacheProvider::Dynamodb => "dynamodb",
            CacheProvider::Redis => "redis",
        }
    }
}

/// Whether the host at the start of a text belongs to a public endpoint of AWS.
fn is_of_aws(rest: &str) -> bool {
    let host = rest.split(['/', ':', '?', '#']).next().unwrap_or_default();
    host.ends_with(".amazonaws.com") || host.ends_with(".api.aws")
}

/// Whether a Region is one of the partitions `aws` and `aws-us-gov`, by the patterns of the SDK's list of partitions. Those of
/// China, of isolated networks and of the European Sovereign Cloud are not.
fn is_public_region(region: &str) -> bool {
    const AREAS: [&str; 9] = ["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"];
    let parts: Vec<&str> = region.split('-').collect();
    let (place, number) = match parts[..] {
        ["us", "gov", place, number] => (place, number),
        [area, place, number] if AREAS.contains(&area) => (place, number),
        _ => return false,
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_variable_and_never_its_value() {
        let env = Env::of([("MAX_SESSIONS_PER_USER", "hunter2")]);
        let error = env.policy().unwrap_err();
        assert_eq!(error.to_string(), "MAX_SESSIONS_PER_USER must be a whole number from 1 to 10");
        assert_eq!(format!("{env:?}"), "{\"MAX_SESSIONS_PER_USER\"}");
        assert_eq!(env.text("SESSIONS_TABLE").unwrap_err().to_string(), "SESSIONS_TABLE is not set");
    }

    #[test]
    fn amazons_certificates_suffice_where_every_endpoint_is_a_public_one_of_aws() {
        let suffice = |more: &[(&str, &str)]| {
            let region = [("AWS_REGION", "eu-central-1")];
            Env::of(region.into_iter().chain(more.iter().copied())).has_amazon_certificates()
        };
        for region in ["us-east-1", "eu-central-1", "ap-southeast-7", "mx-central-1", "us-gov-west-1", "il-central-1"] {
            assert!(suffice(&[("AWS_REGION", region)]), "{region}");
        }
        let other = ["cn-north-1", "cn-northwest-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1"];
        let unknown =
            ["eusc-de-east-1", "", "us", "us-east", "us-east-1a", "US-EAST-1", "us-gov-1x-1", "us--1", "us-east-"];
        for region in other.into_iter().chain(unknown) {
            assert!(!suffice(&[("AWS_REGION", region)]), "{region}");
        }
        assert!(!Env::of([]).has_amazon_certificates());
        for (name, value) in [
            ("AWS_CA_BUNDLE", "/etc/ca.pem"),
            ("SSL_CERT_FILE", "/etc/ca.pem"),
            ("SSL_CERT_DIR", "/etc/certs"),
            ("AWS_ENDPOINT_URL", "https://localhost:4566"),
            ("AWS_ENDPOINT_URL_DYNAMODB", "https://amazonaws.com.example.org/"),
            ("AWS_ENDPOINT_URL_SQS", "https://xamazonaws.com"),
            ("WS_CALLBACK_URL", "https://push.example.com/v1"),
        ] {
            assert!(!suffice(&[(name, value)]), "{name}={value}");
        }
        for (name, value) in [
            // Without TLS nobody shows a certificate.
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ("AWS_ENDPOINT_URL_DYNAMODB", "https://vpce-1.dynamodb.eu-central-1.vpce.amazonaws.com:443/x"),
            ("AWS_ENDPOINT_URL_SQS", "https://sqs.eu-central-1.api.aws"),
            ("WS_CALLBACK_URL", "https://abc.execute-api.eu-central-1.amazonaws.com/v1"),
            ("WS_URL", "wss://push.example.com/v1"),
            ("SSL_CERT_FILE", ""),
        ] {
            assert!(suffice(&[(name, value)]), "{name}={value}");
        }
    }

    #[test]
    fn without_configuration_the_contracts_defaults_hold() {
        let env = Env::of([]);
        assert_eq!(env.policy(), Ok(Policy::default()));
        assert_eq!(env.sign_in_limits(), Ok(SignInLimits::default()));
    }

    #[test]
    fn there_is_no_default_cache_and_no_default_registration() {
        assert!(Env::of([]).cache().is_err());
        assert!(Env::of([("CACHE_PROVIDER", "memcached")]).cache().is_err());
        assert!(Env::of([]).flag("REGISTRATION_ENABLED").is_err());
        assert!(Env::of([("REGISTRATION_ENABLED", "yes")]).flag("REGISTRATION_ENABLED").is_err());
    }

    #[test]
    fn ranges_are_the_contracts() {
        for (value, good) in [("0", false), ("1", true), ("10", true), ("11", false), ("5.0", false)] {
            assert_eq!(Env::of([("MAX_SESSIONS_PER_USER", value)]).policy().is_ok(), good, "{value}");
        }
        for (value, good) in [("299", false), ("300", true), ("600", true), ("601", false)] {
            assert_eq!(Env::of([("LOGIN_SESSION_TTL_SECONDS", value)]).sign_in_limits().is_ok(), good, "{value}");
        }
    }

    type Read = fn(&Env) -> Result<i64, ConfigError>;

    /// Every number that has a range: what may be set, and what holds where nothing is.
    #[test]
    fn every_number_has_a_range_and_a_default() {
        let policy = |read: fn(&Policy) -> i64| move |env: &Env| env.policy().map(|policy| read(&policy));
        let limits = |read: fn(&SignInLimits) -> i64| move |env: &Env| env.sign_in_limits().map(|limits| read(&limits));
        let year = 31_536_000;
        type Number<'a> = &'a dyn Fn(&Env) -> Result<i64, ConfigError>;
        let numbers: [(&str, i64, i64, i64, Number<'_>); 14] = [
            ("MAX_SESSIONS_PER_USER", 1, 10, 5, &policy(|p| i64::from(p.max_sessions))),
            ("ACCESS_TOKEN_TTL_SECONDS", 1, 86_400, 900, &policy(|p| p.access_seconds)),
            ("SESSION_IDLE_SECONDS", 1, year, 3_600, &policy(|p| p.idle_seconds)),
            ("SESSION_ABSOLUTE_SECONDS", 1, year, 86_400, &policy(|p| p.absolute_seconds)),
            ("STAY_SIGNED_IN_IDLE_SECONDS", 1, year, 1_209_600, &policy(|p| p.stay_idle_seconds)),
            ("STAY_SIGNED_IN_ABSOLUTE_SECONDS", 1, year, 2_592_000, &policy(|p| p.stay_absolute_seconds)),
            ("REFRESH_GRACE_SECONDS", 0, 60, 10, &policy(|p| p.refresh_grace_seconds)),
            ("CACHE_MAX_AGE_SECONDS", 1, 3_600, 60, &policy(|p| p.cache_max_age_seconds)),
            ("LOGIN_SESSION_TTL_SECONDS", 300, 600, 600, &limits(|l| l.login_seconds)),
            ("MFA_SESSION_TTL_SECONDS", 1, 600, 300, &limits(|l| l.mfa_seconds)),
            ("MAX_LOGIN_ATTEMPTS", 1, 1_000_000, 5, &limits(|l| i64::from(l.max_login_attempts))),
            ("MAX_MFA_ATTEMPTS", 1, 10, 5, &limits(|l| i64::from(l.max_mfa_attempts))),
            ("DEVICE_TRUST_SECONDS", 1, year, 2_592_000, &limits(|l| l.device_trust_seconds)),
            ("REFRESH_GRACE_SECONDS", 0, 60, 10, &limits(|l| l.device_grace_seconds)),
        ];
        let registrations: Read = |env| env.registrations_per_network().map(i64::from);
        let registrations: (&str, i64, i64, i64, Number<'_>) =
            ("MAX_REGISTRATIONS_PER_NETWORK", 1, 1_000_000, 20, &registrations);
        for (name, least, most, default, read) in numbers.into_iter().chain([registrations]) {
            assert_eq!(read(&Env::of([])), Ok(default), "{name} by default");
            assert_eq!(read(&Env::of([(name, "")])), Ok(default), "{name} empty");
            for good in [least, least + 1, most - 1, most] {
                assert_eq!(read(&Env::of([(name, good.to_string().as_str())])), Ok(good), "{name}");
            }
            let problem = format!("must be a whole number from {least} to {most}");
            let outside = [(least - 1).to_string(), (most + 1).to_string(), "-1".into(), i64::MAX.to_string()];
            let odd = ["1.0", "1e2", " 5", "5 ", "0x5", "five", "99999999999999999999", "+"].map(str::to_owned);
            for bad in outside.into_iter().chain(odd) {
                let error = read(&Env::of([(name, bad.as_str())])).unwrap_err();
                assert_eq!((error.variable.as_str(), error.problem.as_str()), (name, problem.as_str()), "{bad:?}");
            }
        }
    }

    #[test]
    fn texts_flags_addresses_and_lists_are_read_as_they_are_documented() {
        let env = Env::of([
            ("EMPTY", ""),
            ("YES", "true"),
            ("NO", "false"),
            ("URL", "https://queue.example/1/"),
            ("PLAIN", "http://127.0.0.1:1"),
            ("FTP", "ftp://x"),
            ("LIST", " a , ,b,"),
        ]);
        assert_eq!(env.optional("EMPTY"), None);
        assert_eq!(env.text("EMPTY").unwrap_err().to_string(), "EMPTY is not set");
        assert_eq!(env.text("FTP").as_deref(), Ok("ftp://x"));
        assert_eq!((env.flag("YES"), env.flag("NO")), (Ok(true), Ok(false)));
        assert_eq!(env.flag("FTP").unwrap_err().to_string(), "FTP must be true or false");
        assert_eq!(env.flag("EMPTY").unwrap_err().to_string(), "EMPTY is not set");
        assert_eq!(
            (env.flag_or("NO", true), env.flag_or("NONE", true), env.flag_or("NONE", false)),
            (Ok(false), Ok(true), Ok(false))
        );
        assert_eq!(env.flag_or("FTP", true).unwrap_err().to_string(), "FTP must be true or false");
        assert_eq!(env.url("URL").as_deref(), Ok("https://queue.example/1"));
        assert_eq!(env.url("PLAIN").as_deref(), Ok("http://127.0.0.1:1"));
        assert_eq!(env.url("FTP").unwrap_err().to_string(), "FTP must start with https:// or http://");
        assert_eq!(env.url("NONE").unwrap_err().to_string(), "NONE is not set");
        assert_eq!(env.list("LIST"), ["a", "b"]);
        assert!(env.list("NONE").is_empty() && env.list("EMPTY").is_empty());
        assert!(!env.is_local() && Env::of([("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]).is_local());
        assert_eq!(Env::of([]).mfa_issuer().as_deref(), Ok("Holdfast"));
        assert_eq!(Env::of([("MFA_ISSUER", "Shop")]).mfa_issuer().as_deref(), Ok("Shop"));
        for issuer in ["a:b", "a\nb", "x".repeat(65).as_str()] {
            assert_eq!(Env::of([("MFA_ISSUER", issuer)]).mfa_issuer().unwrap_err().variable, "MFA_ISSUER");
        }
    }

    #[test]
    fn a_cache_server_is_named_in_full_or_not_at_all() {
        let of = |url: &str, cluster: &str, authority: &str| {
            Env::of([("REDIS_URL", url), ("REDIS_CLUSTER", cluster), ("REDIS_CA_FILE", authority)]).cache_server()
        };
        let server = of("rediss://h:6379", "true", "/etc/ca.pem").unwrap();
        assert!(server.cluster && server.iam.is_none() && server.authority_file.as_deref() == Some("/etc/ca.pem"));
        assert_eq!(server.url, "rediss://h:6379");
        assert_eq!(format!("{server:?}"), "CacheServer { cluster: true, iam: None, .. }", "a URL may hold a password");
        assert_eq!(of("http://h", "", "").unwrap_err().to_string(), "REDIS_URL must start with rediss:// or redis://");
        assert_eq!(of("redis://h", "yes", "").unwrap_err().to_string(), "REDIS_CLUSTER must be true or false");
        let error = Env::of([("CACHE_PROVIDER", "memory")]).cache().unwrap_err();
        assert_eq!(error.to_string(), "CACHE_PROVIDER must be dynamodb or redis");
        let iam = [
            ("REDIS_URL", "rediss://h"),
            ("REDIS_IAM_USER", "app"),
            ("REDIS_IAM_CACHE", "c"),
            ("AWS_REGION", "r"),
            ("REDIS_IAM_SERVERLESS", "true"),
        ];
        let expected = CacheIam { user: "app".into(), cache: "c".into(), serverless: true, region: "r".into() };
        assert_eq!(Env::of(iam).cache_server().unwrap().iam, Some(expected));
        assert_eq!([CacheProvider::Dynamodb, CacheProvider::Redis].map(CacheProvider::as_str), ["dynamodb", "redis"]);
    }

    #[test]
    fn the_environment_alone_chooses_the_cache() {
        let plain = [("CACHE_PROVIDER", "dynamodb")];
        assert_eq!(Env::of(plain).cache().map(|c| (c.provider, c.server)), Ok((CacheProvider::Dynamodb, None)));
        let url = ("REDIS_URL", "redis://127.0.0.1:6379/0");
        let between = Env::of([("CACHE_PROVIDER", "dynamodb"), url]).cache().unwrap();
        assert!(between.provider == CacheProvider::Dynamodb && between.server.is_some());
        let redis = Env::of([("CACHE_PROVIDER", "redis"), url]).cache().unwrap();
        assert!(redis.provider == CacheProvider::Redis && !redis.server.unwrap().cluster);
        let without = Env::of([("CACHE_PROVIDER", "redis")]).cache().unwrap_err();
        assert_eq!(without.to_string(), "REDIS_URL is not set");
    }

    #[test]
    fn iam_needs_a_cache_a_region_and_tls() {
        let iam = [("REDIS_IAM_USER", "app"), ("REDIS_IAM_CACHE", "c"), ("AWS_REGION", "eu-central-1")];
        let with = |url, skip: usize| {
            let rest = iam.into_iter().enumerate().filter(|(nth, _)| *nth != skip).map(|(_, pair)| pair);
            Env::of([("REDIS_URL", url)].into_iter().chain(rest)).cache_server()
        };
        assert_eq!(with("rediss://h:6379", 9).unwrap().iam.map(|iam| iam.serverless), Some(false));
        assert_eq!(with("rediss://h:6379", 1).unwrap_err().variable, "REDIS_IAM_CACHE");
        assert_eq!(with("rediss://h:6379", 2).unwrap_err().variable, "AWS_REGION");
        assert_eq!(with("redis://h:6379", 9).unwrap_err().variable, "REDIS_URL");
    }
}
