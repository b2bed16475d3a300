//! The two routes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use holdfast_client::{ClientOfUser, CreateSession, NewSession, NewSessionRequest, Transport};
use serde_json::{Map, Value};

use crate::cookie::{self, Begun};
use crate::http::{Answer, Event};
use crate::provider::{Provider, User};
use crate::refusal::Refusal;
use crate::settings::Settings;

/// A whole request, with everything that it asks the provider and Holdfast. The time-out of the function is longer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Claims have at most 2 KiB.
const LONGEST_NAME: usize = 200;

/// The sign-in, with its clients.
pub struct App {
    settings: Settings,
    provider: Provider,
    sessions: CreateSession,
}

impl App {
    /// Creates the clients. Region, credentials and endpoint are those of the AWS configuration.
    ///
    /// # Errors
    /// Says what is wrong with the configuration.
    pub fn new(settings: Settings, config: &SdkConfig) -> Result<Self, String> {
        let mut sessions = CreateSession::from_config(&settings.function, config);
        if let Some(qualifier) = &settings.qualifier {
            sessions = sessions.qualifier(qualifier);
        }
        let sessions = sessions.build().map_err(|error| error.to_string())?;
        Ok(Self { provider: Provider::new(&settings, config)?, sessions, settings })
    }

    /// Answers a request. Every failure has an answer, too.
    pub async fn handle(&self, event: &Event, now: SystemTime) -> Answer {
        let id = &event.request_context.request_id;
        let decided = match event.route() {
            ("GET", "/login") => in_time(self.login(event, now)).await.map_err(|refusal| (refusal, Vec::new())),
            ("GET", "/callback") => self.callback(event, now).await,
            _ => Err((Refusal::not_found(), Vec::new())),
        };
        decided.unwrap_or_else(|(refusal, cookies)| {
            refusal.log(id);
            refusal.answer(id).cookies(cookies)
        })
    }

    /// Sends the user to the provider, and keeps the secrets of this sign-in in the user's browser.
    async fn login(&self, event: &Event, now: SystemTime) -> Result<Answer, Refusal> {
        let mut parameters = event.parameters()?;
        let return_to = parameters.remove("return_to");
        if !parameters.is_empty() {
            return Err(Refusal::invalid_request("The sign-in has only the parameter `return_to`."));
        }
        if self.settings.page(return_to.as_deref()).is_none() {
            return Err(Refusal::invalid_request("`return_to` must be the path of a page of the application."));
        }
        let start = self.provider.start(now).await?;
        let begun = Begun::new(start.nonce, start.verifier, return_to, now);
        let cookie = begun.set_cookie(&start.state, &self.settings.issuer);
        let cookie = cookie.ok_or_else(|| Refusal::configuration("The cookie cannot be sealed."))?;
        Ok(Answer::redirect(start.url).cookies([cookie]))
    }

    /// Ends the sign-in that this browser began. Every end, good or bad, uses up its `state`.
    async fn callback(&self, event: &Event, now: SystemTime) -> Result<Answer, (Refusal, Vec<String>)> {
        let parameters = event.parameters().map_err(|refusal| (refusal, Vec::new()))?;
        let given = |name: &str| parameters.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let begun = given("state").and_then(|state| {
            let open = |value| Begun::open(value, state, &self.settings.issuer, now);
            event.cookies(cookie::NAME).take(4).find_map(open)
        });
        // The cookie of another sign-in stays, so a link on another site cannot end it.
        let Some(begun) = begun else {
            return Err((Refusal::start_again("This browser has no such sign-in."), Vec::new()));
        };
        let session = in_time(self.session(&given, begun, event, now)).await;
        session.map(|answer| answer.cookies([cookie::remove()])).map_err(|refusal| (refusal, vec![cookie::remove()]))
    }

    async fn session<'a>(
        &self,
        given: &impl Fn(&str) -> Option<&'a str>,
        begun: Begun,
        event: &Event,
        now: SystemTime,
    ) -> Result<Answer, Refusal> {
        // RFC 9207: an answer of another provider.
        if given("iss").is_some_and(|issuer| issuer != self.settings.issuer) {
            return Err(Refusal::denied("The answer is that of another provider."));
        }
        if let Some(error) = given("error") {
            return Err(of_provider(error));
        }
        let code =
            given("code").ok_or_else(|| Refusal::invalid_request("The provider sent neither a code nor an error."))?;
        let user = self.provider.finish(code.to_owned(), begun.verifier, begun.nonce, now).await?;
        let made = self.sessions.create_session(&self.request(user, event)).await?;
        Ok(self.signed_in(made, begun.return_to.as_deref()))
    }

    fn request(&self, user: User, event: &Event) -> NewSessionRequest {
        let client = &event.request_context.http;
        let mut request = NewSessionRequest::new(&self.settings.issuer, user.subject);
        request.email = user.email;
        // The provider decides about the claims of this platform: these replace all others. Without this line, those of
        // operators stay.
        request.claims = Some(claims(user.name));
        request.mfa_verified = user.second_factor;
        // If the provider does not say when it authenticated the user, the session is never recent.
        request.authenticated_at = Some(user.authenticated_at.unwrap_or(UNIX_EPOCH));
        request.client =
            ClientOfUser { ip: Some(client.source_ip.clone()), user_agent: Some(client.user_agent.clone()) };
        request.transport = self.settings.transport;
        request
    }

    /// Gives the tokens to the browser: as cookies that no script reads, or in the body.
    fn signed_in(&self, made: NewSession, return_to: Option<&str>) -> Answer {
        if self.settings.transport == Transport::Body {
            return Answer::new(200).body("application/json", Value::Object(made.raw).to_string());
        }
        let page = self.settings.page(return_to).unwrap_or_else(|| self.settings.app_url.clone());
        Answer::redirect(page).cookies(made.set_cookies)
    }
}

/// The outcome of the work, or that it takes too long.
async fn in_time<T>(work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    let late = || Err(Refusal::unavailable("The provider and Holdfast took too long."));
    Box::pin(tokio::time::timeout(TIMEOUT, work)).await.unwrap_or_else(|_| late())
}

fn claims(name: Option<String>) -> Map<String, Value> {
    let name = name.map(|name| ("name".to_owned(), name.chars().take(LONGEST_NAME).collect::<String>().into()));
    name.into_iter().collect()
}

/// The error with which the provider sends the user back (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6).
fn of_provider(error: &str) -> Refusal {
    match error {
        "server_error" | "temporarily_unavailable" => Refusal::unavailable("The provider cannot sign users in now."),
        "invalid_request" | "unauthorized_client" | "unsupported_response_type" | "invalid_scope" => {
            Refusal::configuration(format!("The provider refuses the request: {error}."))
        }
        "access_denied" | "login_required" | "consent_required" | "interaction_required" => {
            Refusal::denied(format!("The provider did not sign the user in: {error}."))
        }
        _ => Refusal::denied("The provider did not sign the user in."),
    }
}
