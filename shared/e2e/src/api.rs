//! The HTTP API, one function for each route. Answers come back as they are; the caller says what they should be.

use serde_json::{Map, Value, json};

use crate::{Call, Deployment, Fault, Http, Person, Reply, Signer};

/// A client of one deployment.
#[derive(Debug)]
pub struct Api {
    http: Http,
    base: String,
    publisher: Signer,
}

/// What a sign-in may say besides e-mail and password.
#[derive(Clone, Debug, Default)]
pub struct SignIn<'a> {
    /// Longer idle and absolute life.
    pub stay_signed_in: Option<bool>,
    /// Shown in the list of sessions.
    pub device_name: Option<&'a str>,
    /// From an earlier trusted session.
    pub device_token: Option<&'a str>,
}

/// A session of a user: the parts of the answer that later calls need.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The user of the session.
    pub user_id: String,
    /// The public id of the session.
    pub session_id: String,
    /// The access token of the session.
    pub access: String,
    /// The refresh token of the session.
    pub refresh: String,
}

impl SignedIn {
    /// From the answer of a sign-in or a refresh, checked for the members that the contract promises.
    pub fn from_reply(reply: &Reply) -> Result<Self, Fault> {
        check_session(reply, "/session")?;
        if reply.at("/tokens/tokenType") != "Bearer" {
            return Err(reply.fault("tokenType Bearer"));
        }
        if reply.text("/tokens/refreshExpiresAt")? != reply.text("/session/expiresAt")? {
            return Err(reply.fault("refreshExpiresAt to be the session's expiresAt"));
        }
        reply.text("/tokens/accessExpiresAt")?;
        check_effective(reply)?;
        Ok(Self {
            user_id: reply.text("/session/userId")?,
            session_id: reply.text("/session/sessionId")?,
            access: reply.text("/tokens/accessToken")?,
            refresh: reply.text("/tokens/refreshToken")?,
        })
    }
}

/// `effective` is `immediate`, or `bounded` with the seconds.
pub(crate) fn check_effective(reply: &Reply) -> Result<(), Fault> {
    match reply.at("/effective").as_str() {
        Some("immediate") if reply.at("/withinSeconds").is_null() => Ok(()),
        Some("bounded") => reply.number("/withinSeconds").map(drop),
        _ => Err(reply.fault("effective to be immediate, or bounded with withinSeconds")),
    }
}

/// Every member of a session, with its type.
pub(crate) fn check_session(reply: &Reply, pointer: &str) -> Result<(), Fault> {
    for member in ["sessionId", "userId", "email"] {
        reply.text(&format!("{pointer}/{member}"))?;
    }
    for member in ["authenticatedAt", "createdAt", "lastUsedAt", "expiresAt", "absoluteExpiresAt"] {
        let at = reply.text(&format!("{pointer}/{member}"))?;
        // RFC 3339, UTC, milliseconds: 2026-01-31T23:59:59.999Z
        let shape = at.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
        if !shape.eq(*b"0000-00-00T00:00:00.000Z") {
            return Err(reply.fault(format!("{member} in RFC 3339, UTC, with milliseconds")));
        }
    }
    for member in ["current", "staySignedIn", "mfaVerified", "trusted"] {
        if !reply.at(&format!("{pointer}/{member}")).is_boolean() {
            return Err(reply.fault(format!("{member} to be true or false")));
        }
    }
    for member in ["device", "claims"] {
        if !reply.at(&format!("{pointer}/{member}")).is_object() {
            return Err(reply.fault(format!("{member} to be an object")));
        }
    }
    reply.number(&format!("{pointer}/version")).map(drop)
}

impl Api {
    /// A client with its own connections, for one async runtime.
    pub async fn new(deployment: &Deployment) -> Result<Self, Fault> {
        let publisher = Signer::new(deployment.credentials().await?, &deployment.region, "execute-api");
        Ok(Self { http: Http::new(), base: deployment.http_url.clone(), publisher })
    }

    /// Says every request and its status on standard error.
    pub fn verbose(mut self, verbose: bool) -> Self {
        self.http.verbose = verbose;
        self
    }

    /// Sends any request, unsigned.
    pub async fn send(&self, call: Call) -> Result<Reply, Fault> {
        self.http.send(&self.base, call, None).await
    }

    /// Sends any request, signed by `signer`.
    pub async fn send_signed(&self, call: Call, signer: &Signer) -> Result<Reply, Fault> {
        self.http.send(&self.base, call, Some(signer)).await
    }

    /// Calls `GET /v1/health`.
    pub async fn health(&self) -> Result<Reply, Fault> {
        self.send(Call::new("GET", "/v1/health")).await
    }

    /// Calls `POST /v1/users`.
    pub async fn register(&self, person: &Person) -> Result<Reply, Fault> {
        self.send(Call::new("POST", "/v1/users").json(&json!({"email": person.email, "password": person.password})))
            .await
    }

    /// Calls `POST /v1/auth/login`.
    pub async fn login(&self, email: &str, password: &str, how: &SignIn<'_>) -> Result<Reply, Fault> {
        let mut body = Map::new();
        body.insert("email".to_owned(), email.into());
        body.insert("password".to_owned(), password.into());
        for (name, value) in [
            ("staySignedIn", how.stay_signed_in.map(Value::from)),
            ("deviceName", how.device_name.map(Value::from)),
            ("deviceToken", how.device_token.map(Value::from)),
        ] {
            body.extend(value.map(|value| (name.to_owned(), value)));
        }
        self.send(Call::new("POST", "/v1/auth/login").json(&Value::Object(body))).await
    }

    /// Signs in and takes what is needed from the answer.
    pub async fn sign_in(&self, person: &Person, device_name: &str) -> Result<SignedIn, Fault> {
        let how = SignIn { device_name: Some(device_name), ..SignIn::default() };
        let reply = self.login(&person.email, &person.password, &how).await?;
        if reply.status == 429 {
            return Err(reply.fault(
                "a sign-in; this network's failed attempts of the last 15 minutes are used up, so wait Retry-After \
                 seconds or deploy with a higher max_login_attempts",
            ));
        }
        let reply = reply.expect(200)?;
        if reply.at("/status") != "AUTHENTICATED" {
            return Err(reply.fault("status AUTHENTICATED"));
        }
        SignedIn::from_reply(&reply)
    }

    /// Calls `POST /v1/auth/mfa/verify`.
    pub async fn verify_mfa(&self, mfa_session_id: &str, code: &str) -> Result<Reply, Fault> {
        let body = json!({"mfaSessionId": mfa_session_id, "code": code});
        self.send(Call::new("POST", "/v1/auth/mfa/verify").json(&body)).await
    }

    /// Calls `POST /v1/auth/refresh`.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Reply, Fault> {
        self.send(Call::new("POST", "/v1/auth/refresh").json(&json!({"refreshToken": refresh_token}))).await
    }

    /// Calls `POST /v1/auth/logout`.
    pub async fn log_out(&self, access: &str) -> Result<Reply, Fault> {
        self.send(Call::new("POST", "/v1/auth/logout").bearer(access)).await
    }

    /// Calls `POST /v1/auth/password`.
    pub async fn change_password(&self, access: &str, current: &str, new: &str) -> Result<Reply, Fault> {
        let body = json!({"currentPassword": current, "newPassword": new});
        self.send(Call::new("POST", "/v1/auth/password").bearer(access).json(&body)).await
    }

    /// Calls `POST /v1/auth/mfa/enroll`.
    pub async fn enroll_mfa(&self, access: &str) -> Result<Reply, Fault> {
        self.send(Call::new("POST", "/v1/auth/mfa/enroll").bearer(access)).await
    }

    /// Calls `POST /v1/auth/mfa/activate`.
    pub async fn activate_mfa(&self, access: &str, code: &str) -> Result<Reply, Fault> {
        self.send(Call::new("POST", "/v1/auth/mfa/activate").bearer(access).json(&json!({"code": code}))).await
    }

    /// Calls `DELETE /v1/auth/mfa`.
    pub async fn remove_mfa(&self, access: &str, code: &str) -> Result<Reply, Fault> {
        self.send(Call::new("DELETE", "/v1/auth/mfa").bearer(access).json(&json!({"code": code}))).await
    }

    /// Calls `POST /v1/auth/mfa/recovery-codes`.
    pub async fn renew_recovery_codes(&self, access: &str) -> Result<Reply, Fault> {
        self.send(Call::new("POST", "/v1/auth/mfa/recovery-codes").bearer(access)).await
    }

    /// `POST /v1/auth/reauthenticate`, with a code where there is a second factor.
    pub async fn reauthenticate(&self, access: &str, password: &str, code: Option<&str>) -> Result<Reply, Fault> {
        let mut body = json!({"password": password});
        if let Some(code) = code {
            body["code"] = code.into();
        }
        self.send(Call::new("POST", "/v1/auth/reauthenticate").bearer(access).json(&body)).await
    }

    /// Calls `GET /v1/devices`.
    pub async fn devices(&self, access: &str) -> Result<Reply, Fault> {
        self.send(Call::new("GET", "/v1/devices").bearer(access)).await
    }

    /// `DELETE /v1/devices/{deviceId}`
    pub async fn remove_device(&self, access: &str, device_id: &str) -> Result<Reply, Fault> {
        self.send(Call::new("DELETE", format!("/v1/devices/{device_id}")).bearer(access)).await
    }

    /// Calls `DELETE /v1/devices`.
    pub async fn remove_devices(&self, access: &str) -> Result<Reply, Fault> {
        self.send(Call::new("DELETE", "/v1/devices").bearer(access)).await
    }

    /// Calls `GET /v1/sessions`.
    pub async fn sessions(&self, access: &str) -> Result<Reply, Fault> {
        self.send(Call::new("GET", "/v1/sessions").bearer(access)).await
    }

    /// Calls `GET /v1/sessions/current`.
    pub async fn current(&self, access: &str) -> Result<Reply, Fault> {
        self.send(Call::new("GET", "/v1/sessions/current").bearer(access)).await
    }

    /// `PUT /v1/sessions/{sessionId}/trust`
    pub async fn trust(
        &self,
        access: &str,
        session_id: &str,
        trusted: bool,
        if_match: Option<&str>,
    ) -> Result<Reply, Fault> {
        let call = Call::new("PUT", format!("/v1/sessions/{session_id}/trust"))
            .bearer(access)
            .json(&json!({"trusted": trusted}));
        self.send(match if_match {
            Some(tag) => call.header("if-match", tag),
            None => call,
        })
        .await
    }

    /// `DELETE /v1/sessions/{sessionId}`
    pub async fn revoke(&self, access: &str, session_id: &str) -> Result<Reply, Fault> {
        self.send(Call::new("DELETE", format!("/v1/sessions/{session_id}")).bearer(access)).await
    }

    /// `DELETE /v1/sessions?keepCurrent=…`
    pub async fn revoke_all(&self, access: &str, keep_current: bool) -> Result<Reply, Fault> {
        self.send(Call::new("DELETE", format!("/v1/sessions?keepCurrent={keep_current}")).bearer(access)).await
    }

    /// Calls `POST /v1/push/tickets`.
    pub async fn ticket(&self, access: &str) -> Result<Reply, Fault> {
        self.send(Call::new("POST", "/v1/push/tickets").bearer(access)).await
    }

    /// `POST /v1/messages`, signed by the deployment's publisher
    pub async fn publish(&self, body: &Value) -> Result<Reply, Fault> {
        self.send_signed(Call::new("POST", "/v1/messages").json(body), &self.publisher).await
    }

    /// `GET /v1/channels/{channel}/messages`
    pub async fn history(&self, access: &str, channel: &str, after: u64, epoch: &str) -> Result<Reply, Fault> {
        self.history_page(access, channel, &format!("after={after}&epoch={epoch}")).await
    }

    /// Calls the same route with any query.
    pub async fn history_page(&self, access: &str, channel: &str, query: &str) -> Result<Reply, Fault> {
        self.send(Call::new("GET", format!("/v1/channels/{channel}/messages?{query}")).bearer(access)).await
    }
}
