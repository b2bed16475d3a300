//! The configuration, which is validated at the start.

use std::time::Duration;

use holdfast_client::Transport;
use openidconnect::url::Url;

/// The configuration. No default admits a user.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    /// Of a confidential client; none for a public client.
    pub(crate) client_secret: Option<SecretArn>,
    /// The address of this API as the browser sees it, without a slash at the end.
    pub(crate) public_url: String,
    /// The page that a user comes to after a sign-in by cookie.
    pub(crate) app_url: Url,
    pub(crate) transport: Transport,
    /// The provider asks a user again whose authentication is older.
    pub(crate) max_age: Duration,
    pub(crate) function: String,
    pub(crate) qualifier: Option<String>,
}

/// The name of a secret of Secrets Manager.
#[derive(Clone, Debug)]
pub(crate) struct SecretArn {
    pub(crate) text: String,
    pub(crate) region: String,
}

impl SecretArn {
    fn read(text: String) -> Result<Self, String> {
        // arn:aws:secretsmanager:<region>:<account>:secret:<name>
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            ["arn", _, "secretsmanager", region, _, "secret", name] if !region.is_empty() && !name.is_empty() => {
                Ok(Self { region: region.to_owned(), text })
            }
            _ => Err("CLIENT_SECRET_ARN must be the ARN of a secret of Secrets Manager.".into()),
        }
    }
}

impl Settings {
    /// Reads the variables of the environment by their names.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong, and never its value.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let optional = |name: &str| variable(name).filter(|value| !value.is_empty());
        let required = |name: &str| optional(name).ok_or_else(|| format!("{name} is not set."));
        let issuer = required("ISSUER_URL")?;
        address("ISSUER_URL", &issuer)?;
        let public_url = required("PUBLIC_URL")?.trim_end_matches('/').to_owned();
        address("PUBLIC_URL", &public_url)?;
        let transport = match required("TRANSPORT")?.as_str() {
            "body" => Transport::Body,
            "cookie" => Transport::Cookie,
            _ => return Err("TRANSPORT must be body or cookie.".into()),
        };
        let max_age = required("MAX_AGE_SECONDS")?.parse().ok().filter(|seconds| (1..=31_536_000).contains(seconds));
        Ok(Self {
            client_id: required("CLIENT_ID")?,
            client_secret: optional("CLIENT_SECRET_ARN").map(SecretArn::read).transpose()?,
            app_url: address("APP_URL", &required("APP_URL")?)?,
            max_age: Duration::from_secs(max_age.ok_or("MAX_AGE_SECONDS must be a number from 1 to 31536000.")?),
            function: required("CREATE_SESSION_FUNCTION")?,
            qualifier: optional("CREATE_SESSION_QUALIFIER"),
            issuer,
            public_url,
            transport,
        })
    }

    pub(crate) fn redirect_url(&self) -> String {
        format!("{}/callback", self.public_url)
    }

    /// The address of a page of the application, for a path that a request has named.
    ///
    /// Only a path of this origin is accepted, so that a link to the sign-in cannot lead to another site.
    pub(crate) fn page(&self, path: Option<&str>) -> Option<Url> {
        let Some(path) = path else { return Some(self.app_url.clone()) };
        // Browsers take a backslash for a slash, and drop tabs and line ends.
        let is_path = path.starts_with('/') && !path.starts_with("//") && path.len() <= 512;
        if !is_path || !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return None;
        }
        self.app_url.join(path).ok().filter(|page| page.origin() == self.app_url.origin())
    }
}

/// An address with https, or of this machine.
fn address(name: &str, text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| format!("{name} must be an address."))?;
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(format!("{name} must have no user, no query and no fragment."));
    }
    if url.scheme() != "https" && !is_loopback(&url) {
        return Err(format!("{name} must begin with https://, except on this machine."));
    }
    Ok(url)
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    url.scheme() == "http" && url.host_str().is_some_and(|host| ["127.0.0.1", "localhost", "[::1]"].contains(&host))
}
