//! Messages of the queue `close`.

use holdfast_push::close::{ByeCode, CloseRequest, SessionOver};
use holdfast_sessions::token::Address;
use holdfast_sessions::{Millis, SlotNo};
use serde::{Deserialize, Serialize};

use super::{Unreadable, VERSION};

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum Wire {
    SessionEnded { v: u32, user_id: String, slot: u8, sid: String, code: String, at: i64 },
    Replaced { v: u32, connection_id: String, user_id: String },
    Confirm { v: u32, connection_id: String, user_id: String, code: String, gone_at: Option<i64>, attempt: u32 },
}

/// A request as the queue carries it.
pub fn close_request_to_json(request: &CloseRequest) -> String {
    let wire = match request {
        CloseRequest::SessionEnded { at, sid, over, ended_at } => Wire::SessionEnded {
            v: VERSION,
            user_id: at.user.to_string(),
            slot: at.slot.get(),
            sid: sid.to_string(),
            code: over.bye().as_str().to_owned(),
            at: ended_at.get(),
        },
        CloseRequest::Replaced { user, connection } => {
            Wire::Replaced { v: VERSION, connection_id: connection.to_string(), user_id: user.to_string() }
        }
        CloseRequest::Confirm { user, connection, code, gone_at, attempt } => Wire::Confirm {
            v: VERSION,
            connection_id: connection.to_string(),
            user_id: user.to_string(),
            code: code.as_str().to_owned(),
            gone_at: gone_at.map(Millis::get),
            attempt: *attempt,
        },
    };
    // Strings and numbers only: this cannot fail, and an empty body would be refused by its reader.
    serde_json::to_string(&wire).unwrap_or_default()
}

/// Reads a request back.
pub fn close_request_from_json(body: &str) -> Result<CloseRequest, Unreadable> {
    let wire: Wire = serde_json::from_str(body).map_err(|_| Unreadable("not a close request"))?;
    let (Wire::SessionEnded { v, .. } | Wire::Replaced { v, .. } | Wire::Confirm { v, .. }) = &wire;
    if *v != VERSION {
        return Err(Unreadable("of another version"));
    }
    const BAD_ID: Unreadable = Unreadable("an identifier is malformed");
    const BAD_CODE: Unreadable = Unreadable("an unknown code");
    Ok(match wire {
        Wire::SessionEnded { user_id, slot, sid, code, at, .. } => CloseRequest::SessionEnded {
            at: Address { user: user_id.parse().map_err(|_| BAD_ID)?, slot: SlotNo::new(slot).ok_or(BAD_ID)? },
            sid: sid.parse().map_err(|_| BAD_ID)?,
            over: match ByeCode::parse(&code) {
                Some(ByeCode::SessionEnded) => SessionOver::Ended,
                Some(ByeCode::SessionExpired) => SessionOver::Expired,
                _ => return Err(BAD_CODE),
            },
            ended_at: Millis::new(at),
        },
        Wire::Replaced { connection_id, user_id, .. } => CloseRequest::Replaced {
            user: user_id.parse().map_err(|_| BAD_ID)?,
            connection: connection_id.parse().map_err(|_| BAD_ID)?,
        },
        Wire::Confirm { connection_id, user_id, code, gone_at, attempt, .. } => CloseRequest::Confirm {
            user: user_id.parse().map_err(|_| BAD_ID)?,
            connection: connection_id.parse().map_err(|_| BAD_ID)?,
            code: ByeCode::parse(&code).ok_or(BAD_CODE)?,
            gone_at: gone_at.map(Millis::new),
            attempt,
        },
    })
}

#[cfg(test)]
mod tests {
    use holdfast_sessions::{SessionId, UserId};

    use super::*;

    fn examples() -> [CloseRequest; 3] {
        let user = UserId::from_bytes([1; 16]);
        [
            CloseRequest::SessionEnded {
                at: Address { user, slot: SlotNo::new(3).unwrap() },
                sid: SessionId::from_bytes([2; 16]),
                over: SessionOver::Expired,
                ended_at: Millis::new(5),
            },
            CloseRequest::Replaced { user, connection: "abc=".parse().unwrap() },
            CloseRequest::Confirm {
                user,
                connection: "abc=".parse().unwrap(),
                code: ByeCode::Replaced,
                gone_at: Some(Millis::new(7)),
                attempt: 2,
            },
        ]
    }

    #[test]
    fn requests_read_back() {
        for request in examples() {
            assert_eq!(close_request_from_json(&close_request_to_json(&request)), Ok(request));
        }
    }

    #[test]
    fn the_form_of_a_session_ended_message_is_fixed() {
        assert_eq!(
            close_request_to_json(&examples()[0]),
            "{\"kind\":\"session-ended\",\"v\":1,\"userId\":\"AQEBAQEBAQEBAQEBAQEBAQ\",\"slot\":3,\
             \"sid\":\"AgICAgICAgICAgICAgICAg\",\"code\":\"SESSION_EXPIRED\",\"at\":5}"
        );
    }

    #[test]
    fn another_version_or_kind_is_refused_and_not_guessed_at() {
        let text = close_request_to_json(&examples()[1]);
        for bad in
            ["", "{}", "[]", "{\"v\":1,\"kind\":\"other\"}", &text.replace(":1,", ":2,"), &text.replace("abc=", "a#")]
        {
            assert!(close_request_from_json(bad).is_err(), "{bad}");
        }
    }
}
