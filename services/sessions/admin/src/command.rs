//! The commands, as JSON. Unknown and repeated fields are refused, as everywhere.

use holdfast_domain::{Code, Failure, SessionId, UserId};
use serde::Deserialize;
use serde_json::Value;

/// Whom a command is about: exactly one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    Id(UserId),
    Email(String),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Account and live sessions.
    List(Whom),
    /// One session.
    End(Whom, SessionId),
    /// All of them.
    EndAll(Whom),
    /// No sign-in any more, and all sessions ended.
    Disable(Whom),
    /// Sign-in again.
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
    ip: Option<String>,
}

const ACTIONS: &str = "list, end, end-all, disable, enable, reset-mfa, attempts or clear-attempts";

fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::new(Code::InvalidRequest, detail)
}

/// Reads a command.
pub(crate) fn parse(payload: Value) -> Result<Command, Failure> {
    let wire: Wire =
        serde_json::from_value(payload).map_err(|error| invalid(format!("The command is not valid: {error}.")))?;
    let takes = |name: &str, given: bool, wanted: bool| match (given, wanted) {
        (true, false) => Err(invalid(format!("`{}` takes no `{name}`.", wire.action))),
        (false, true) => Err(invalid(format!("`{}` needs `{name}`.", wire.action))),
        _ => Ok(()),
    };
    let by_budget = matches!(wire.action.as_str(), "attempts" | "clear-attempts");
    takes("sessionId", wire.session_id.is_some(), wire.action == "end")?;
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
    match wire.action.as_str() {
        "list" => Ok(Command::List(whom()?)),
        "end" => {
            let sid = wire.session_id.as_deref().unwrap_or_default();
            Ok(Command::End(whom()?, sid.parse().map_err(|_| invalid("`sessionId` is not the id of a session."))?))
        }
        "end-all" => Ok(Command::EndAll(whom()?)),
        "disable" => Ok(Command::Disable(whom()?)),
        "enable" => Ok(Command::Enable(whom()?)),
        "reset-mfa" => Ok(Command::ResetMfa(whom()?)),
        "attempts" => budget().map(|(email, ip)| Command::Attempts { email, ip }),
        "clear-attempts" => budget().map(|(email, ip)| Command::ClearAttempts { email, ip }),
        _ => Err(invalid(format!("`action` must be {ACTIONS}."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(payload: Value) -> String {
        parse(payload).unwrap_err().detail.into_owned()
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
        ] {
            assert_eq!(parse(json!({"action": action, "userId": id})), Ok(command));
        }
        let end = json!({"action": "end", "email": "a@b.c", "sessionId": sid.to_string()});
        assert_eq!(parse(end), Ok(Command::End(Whom::Email("a@b.c".into()), sid)));
        let budget = |action: &str| json!({"action": action, "email": "a@b.c", "ip": "192.0.2.1"});
        let (email, ip) = ("a@b.c".to_owned(), "192.0.2.1".to_owned());
        assert_eq!(parse(budget("attempts")), Ok(Command::Attempts { email: email.clone(), ip: ip.clone() }));
        assert_eq!(parse(budget("clear-attempts")), Ok(Command::ClearAttempts { email, ip }));
    }

    #[test]
    fn a_wrong_command_says_what_is_wrong() {
        let id = UserId::from_bytes([1; 16]).to_string();
        assert!(refused(json!({"action": "drop", "userId": id})).contains("`action` must be list"));
        assert!(refused(json!({"action": "list"})).contains("one of the two"));
        assert!(refused(json!({"action": "list", "userId": id, "email": "a@b.c"})).contains("one of the two"));
        assert!(refused(json!({"action": "list", "userId": "x"})).contains("`userId`"));
        assert!(refused(json!({"action": "list", "userId": id, "ip": "1.2.3.4"})).contains("takes no `ip`"));
        assert!(refused(json!({"action": "end", "userId": id})).contains("needs `sessionId`"));
        assert!(refused(json!({"action": "end", "userId": id, "sessionId": "x"})).contains("`sessionId`"));
        assert!(refused(json!({"action": "end-all", "userId": id, "sessionId": "x"})).contains("takes no `sessionId`"));
        assert!(refused(json!({"action": "attempts", "email": "a@b.c"})).contains("needs `ip`"));
        assert!(refused(json!({"action": "attempts", "email": "a@b.c", "ip": "home"})).contains("`ip`"));
        assert!(refused(json!({"action": "list", "user": id})).contains("unknown field"));
        assert!(refused(json!([])).contains("not valid"));
    }
}
