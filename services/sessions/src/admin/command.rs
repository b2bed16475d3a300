//! The commands, as JSON. Unknown and repeated fields are refused, as everywhere.

use holdfast_runtime::http::read_payload;
use holdfast_runtime::wire;
use holdfast_sessions::change::Origin;
use holdfast_sessions::claims::Claims;
use holdfast_sessions::text;
use holdfast_sessions::{Code, DeviceId, Failure, SessionId, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Whom a command is about: exactly one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    Id(UserId),
    Email(String),
}

/// What is to be done. It may hold a password, so it has no `Debug` outside tests.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Command {
    /// Who has this e-mail.
    Find(String),
    /// A new account.
    Create { email: String, password: String },
    /// Another password; all sessions ended.
    SetPassword(Whom, String),
    /// What services state about the user.
    SetClaims(Whom, Claims),
    /// The account and everything that is kept under it.
    Delete(Whom),
    /// Account, live sessions and trusted devices.
    List(Whom),
    /// Ends one session of the user.
    End(Whom, SessionId),
    /// All of them.
    EndAll(Whom),
    /// Stops trusting one device of the user.
    RemoveDevice(Whom, DeviceId),
    /// No sign-in any more, and all sessions ended.
    Disable(Whom),
    /// Allows sign-ins again.
    Enable(Whom),
    /// No second factor any more, for who has lost it; all sessions ended.
    ResetMfa(Whom),
    /// How far the attempt budgets of an e-mail, from an address, are used.
    Attempts { email: String, ip: String },
    /// Gives them back.
    ClearAttempts { email: String, ip: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    action: String,
    #[serde(default)]
    user_id: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    device_id: Option<String>,
    #[serde(default)]
    ip: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    claims: Option<Map<String, Value>>,
    #[serde(default)]
    actor: Option<String>,
}

const ACTIONS: &str = "find, create, set-password, set-claims, delete, list, end, end-all, remove-device, disable, enable, \
    reset-mfa, attempts or clear-attempts";

/// The longest name of an operator, in bytes: a role and a session name have at most 64 characters each.
const MAX_ACTOR: usize = 160;
/// The actor of a command that names none. Every invocation is in CloudTrail with its caller.
const UNNAMED: &str = "operator";

fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::new(Code::InvalidRequest, detail)
}

/// Reads a command and its actor. The events of its changes name the actor.
pub(crate) fn parse(payload: &RawValue) -> Result<(Command, Origin), Failure> {
    let wire: Wire = read_payload(payload)?;
    let takes = |name: &str, given: bool, wanted: bool| match (given, wanted) {
        (true, false) => Err(invalid(format!("`{}` takes no `{name}`.", wire.action))),
        (false, true) => Err(invalid(format!("`{}` needs `{name}`.", wire.action))),
        _ => Ok(()),
    };
    let by_budget = matches!(wire.action.as_str(), "attempts" | "clear-attempts");
    takes("sessionId", wire.session_id.is_some(), wire.action == "end")?;
    takes("deviceId", wire.device_id.is_some(), wire.action == "remove-device")?;
    let sets_password = matches!(wire.action.as_str(), "create" | "set-password");
    takes("password", wire.password.is_some(), sets_password)?;
    takes("claims", wire.claims.is_some(), wire.action == "set-claims")?;
    let by_email = matches!(wire.action.as_str(), "find" | "create");
    if by_email {
        takes("userId", wire.user_id.is_some(), false)?;
        takes("email", wire.email.is_some(), true)?;
    }
    let actor = wire.actor.clone().unwrap_or_else(|| UNNAMED.to_owned());
    if actor.len() > MAX_ACTOR {
        return Err(invalid("`actor` must have at most 160 bytes."));
    }
    text::check("actor", &actor)?;
    if by_budget {
        takes("userId", wire.user_id.is_some(), false)?;
        takes("email", wire.email.is_some(), true)?;
        takes("ip", wire.ip.is_some(), true)?;
    } else {
        takes("ip", wire.ip.is_some(), false)?;
    }
    let budget = || {
        let ip = wire.ip.clone().unwrap_or_default();
        if ip.parse::<std::net::IpAddr>().is_err() {
            return Err(invalid("`ip` must be an IPv4 or IPv6 address."));
        }
        Ok((wire.email.clone().unwrap_or_default(), ip))
    };
    let whom = || match (&wire.user_id, &wire.email) {
        (Some(id), None) => id.parse().map(Whom::Id).map_err(|_| invalid("`userId` is not the id of a user.")),
        (None, Some(email)) => Ok(Whom::Email(email.clone())),
        _ => Err(invalid("Name the user by `userId` or by `email`, one of the two.")),
    };
    let email = || wire.email.clone().unwrap_or_default();
    let password = || wire.password.clone().unwrap_or_default();
    let command = match wire.action.as_str() {
        "find" => Command::Find(email()),
        "create" => Command::Create { email: email(), password: password() },
        "set-password" => Command::SetPassword(whom()?, password()),
        "set-claims" => Command::SetClaims(whom()?, wire::read_claims(&wire.claims.clone().unwrap_or_default())?),
        "delete" => Command::Delete(whom()?),
        "list" => Command::List(whom()?),
        "end" => {
            let sid = wire.session_id.as_deref().unwrap_or_default();
            Command::End(whom()?, sid.parse().map_err(|_| invalid("`sessionId` is not the id of a session."))?)
        }
        "end-all" => Command::EndAll(whom()?),
        "remove-device" => {
            let id = wire.device_id.as_deref().unwrap_or_default();
            Command::RemoveDevice(whom()?, id.parse().map_err(|_| invalid("`deviceId` is not the id of a device."))?)
        }
        "disable" => Command::Disable(whom()?),
        "enable" => Command::Enable(whom()?),
        "reset-mfa" => Command::ResetMfa(whom()?),
        "attempts" => budget().map(|(email, ip)| Command::Attempts { email, ip })?,
        "clear-attempts" => budget().map(|(email, ip)| Command::ClearAttempts { email, ip })?,
        _ => return Err(invalid(format!("`action` must be {ACTIONS}."))),
    };
    Ok((command, Origin::operator(actor)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use serde_json::value::to_raw_value;

    fn read(payload: &Value) -> Result<(Command, Origin), Failure> {
        parse(&to_raw_value(payload).unwrap())
    }

    fn parsed(payload: Value) -> Result<Command, Failure> {
        read(&payload).map(|(command, _)| command)
    }

    #[test]
    fn who_gives_a_command_is_named_in_its_events() {
        let actor = |payload: Value| read(&payload).map(|(_, origin)| origin.actor.unwrap_or_default());
        let id = UserId::from_bytes([1; 16]).to_string();
        assert_eq!(actor(json!({"action": "end-all", "userId": id})).unwrap(), "operator");
        for good in ["ops/ada", &"x".repeat(160)] {
            assert_eq!(actor(json!({"action": "end-all", "userId": id, "actor": good})).unwrap(), good);
        }
        for bad in ["", " ", "a\u{202e}b", &"x".repeat(161)] {
            assert!(actor(json!({"action": "end-all", "userId": id, "actor": bad})).is_err(), "{bad:?}");
        }
    }

    fn refused(payload: Value) -> String {
        read(&payload).unwrap_err().detail.into_owned()
    }

    #[test]
    fn repeated_fields_are_refused_at_any_depth() {
        let id = UserId::from_bytes([1; 16]);
        for (fields, expected) in [
            (r#""claims":{"role":"reader","role":"admin"}"#, "Field `claims.role` is repeated."),
            (r#""claims":{"roles":[{"a":1},{"b":1,"b":2}]}"#, "Field `claims.roles[1].b` is repeated."),
            (r#""claims":{},"claims":{}"#, "Field `claims` is repeated."),
            (r#""claims":{},"action":"list""#, "Field `action` is repeated."),
        ] {
            let text = format!(r#"{{"action":"set-claims","userId":"{id}",{fields}}}"#);
            let failure = parse(&RawValue::from_string(text).unwrap()).unwrap_err();
            assert_eq!((failure.code, &*failure.detail), (Code::InvalidRequest, expected), "{fields}");
        }
    }

    #[test]
    fn every_action_is_read() {
        let user = UserId::from_bytes([1; 16]);
        let sid = SessionId::from_bytes([2; 16]);
        let id = user.to_string();
        for (action, command) in [
            ("list", Command::List(Whom::Id(user))),
            ("end-all", Command::EndAll(Whom::Id(user))),
            ("disable", Command::Disable(Whom::Id(user))),
            ("enable", Command::Enable(Whom::Id(user))),
            ("reset-mfa", Command::ResetMfa(Whom::Id(user))),
            ("delete", Command::Delete(Whom::Id(user))),
        ] {
            assert_eq!(parsed(json!({"action": action, "userId": id})), Ok(command));
        }
        let claims = Claims::parse(r#"{"role":"admin"}"#).unwrap();
        let set = json!({"action": "set-claims", "userId": id, "claims": {"role": "admin"}});
        assert_eq!(parsed(set), Ok(Command::SetClaims(Whom::Id(user), claims)));
        let end = json!({"action": "end", "email": "a@b.c", "sessionId": sid.to_string()});
        assert_eq!(parsed(end), Ok(Command::End(Whom::Email("a@b.c".into()), sid)));
        let device = DeviceId::from_bytes([3; 16]);
        let remove = json!({"action": "remove-device", "userId": id, "deviceId": device.to_string()});
        assert_eq!(parsed(remove), Ok(Command::RemoveDevice(Whom::Id(user), device)));
        assert_eq!(parsed(json!({"action": "find", "email": "a@b.c"})), Ok(Command::Find("a@b.c".into())));
        let create = json!({"action": "create", "email": "a@b.c", "password": "p"});
        assert_eq!(parsed(create), Ok(Command::Create { email: "a@b.c".into(), password: "p".into() }));
        let set = json!({"action": "set-password", "userId": id, "password": "p"});
        assert_eq!(parsed(set), Ok(Command::SetPassword(Whom::Id(user), "p".into())));
        let budget = |action: &str| json!({"action": action, "email": "a@b.c", "ip": "192.0.2.1"});
        let (email, ip) = ("a@b.c".to_owned(), "192.0.2.1".to_owned());
        assert_eq!(parsed(budget("attempts")), Ok(Command::Attempts { email: email.clone(), ip: ip.clone() }));
        assert_eq!(parsed(budget("clear-attempts")), Ok(Command::ClearAttempts { email, ip }));
    }

    #[test]
    fn a_wrong_command_says_what_is_wrong() {
        let id = UserId::from_bytes([1; 16]).to_string();
        assert!(refused(json!({"action": "drop", "userId": id})).contains("`action` must be find"));
        assert!(refused(json!({"action": "list"})).contains("one of the two"));
        assert!(refused(json!({"action": "list", "userId": id, "email": "a@b.c"})).contains("one of the two"));
        assert!(refused(json!({"action": "list", "userId": "x"})).contains("`userId`"));
        assert!(refused(json!({"action": "list", "userId": id, "ip": "1.2.3.4"})).contains("takes no `ip`"));
        assert!(refused(json!({"action": "end", "userId": id})).contains("needs `sessionId`"));
        assert!(refused(json!({"action": "end", "userId": id, "sessionId": "x"})).contains("`sessionId`"));
        assert!(refused(json!({"action": "end-all", "userId": id, "sessionId": "x"})).contains("takes no `sessionId`"));
        assert!(refused(json!({"action": "remove-device", "userId": id})).contains("needs `deviceId`"));
        assert!(
            refused(json!({"action": "remove-device", "userId": id, "deviceId": "x"})).contains("`deviceId` is not")
        );
        assert!(refused(json!({"action": "end-all", "userId": id, "deviceId": "x"})).contains("takes no `deviceId`"));
        assert!(refused(json!({"action": "attempts", "email": "a@b.c"})).contains("needs `ip`"));
        assert!(refused(json!({"action": "attempts", "email": "a@b.c", "ip": "home"})).contains("`ip`"));
        assert!(refused(json!({"action": "list", "user": id})).contains("Unknown field `user`"));
        assert!(refused(json!({"action": "set-claims", "userId": id})).contains("needs `claims`"));
        assert!(refused(json!({"action": "list", "userId": id, "claims": {}})).contains("takes no `claims`"));
        assert!(
            refused(json!({"action": "set-claims", "userId": id, "claims": []})).contains("`claims` must be an object")
        );
        let long = json!({"action": "set-claims", "userId": id, "claims": {"a": "x".repeat(2_048)}});
        assert!(refused(long).contains("`claims` has 2056 bytes"));
        assert!(refused(json!([])).contains("must be a JSON object"));
        let typed = refused(json!({"action": "create", "email": "a@b.c", "password": 123_456_789_012_u64}));
        assert!(!typed.contains("123456789012"), "{typed}");
        assert!(refused(json!({"action": "find", "userId": id})).contains("takes no `userId`"));
        assert!(refused(json!({"action": "create", "email": "a@b.c"})).contains("needs `password`"));
        assert!(refused(json!({"action": "delete", "userId": id, "password": "p"})).contains("takes no `password`"));
    }
}
