//! Tickets. Each one opens one socket within thirty seconds.

use holdfast_sessions::token::Address;
use holdfast_sessions::{Millis, SessionId, TokenHash};

/// Lifetime of a ticket (docs/websocket.md).
pub const TICKET_SECONDS: i64 = 30;

/// A stored ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketRow {
    /// The hash of the ticket.
    pub hash: TokenHash,
    /// The slot of the session that requested the ticket.
    pub at: Address,
    /// The session itself, because another one may be in that slot later.
    pub sid: SessionId,
    /// When the ticket expires.
    pub expires_at: Millis,
}

impl TicketRow {
    /// Whether it still opens a socket.
    pub fn is_valid(&self, now: Millis) -> bool {
        now < self.expires_at
    }
}

/// The ticket in a handshake: `?ticket=…`, or the sub-protocols `holdfast.v1, ticket.<value>`. Browsers can set no
/// header.
pub fn presented<'a>(query: Option<&'a str>, protocols: Option<&'a str>) -> Option<&'a str> {
    query.or_else(|| protocols?.split(',').map(str::trim).find_map(|protocol| protocol.strip_prefix("ticket.")))
}

/// The sub-protocol that Holdfast speaks.
pub const PROTOCOL: &str = "holdfast.v1";

/// Whether the client offered [`PROTOCOL`]. A browser drops a connection if the server does not accept its offer.
pub fn offers_protocol(protocols: Option<&str>) -> bool {
    protocols.is_some_and(|list| list.split(',').any(|protocol| protocol.trim() == PROTOCOL))
}

/// Whether a page of this `Origin` may connect. A client without an `Origin` is no browser, so no page can misuse it.
pub fn origin_allowed(origin: Option<&str>, allowed: &[String]) -> bool {
    origin.is_none_or(|origin| allowed.iter().any(|a| a.eq_ignore_ascii_case(origin)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_comes_by_query_or_by_sub_protocol() {
        assert_eq!(presented(Some("t"), None), Some("t"));
        assert_eq!(presented(None, Some("holdfast.v1, ticket.abc")), Some("abc"));
        assert_eq!(presented(None, Some("holdfast.v1")), None);
        assert_eq!(presented(None, None), None);
        assert!(offers_protocol(Some("ticket.abc,holdfast.v1")));
        assert!(!offers_protocol(Some("ticket.holdfast.v1")));
    }

    #[test]
    fn a_foreign_origin_is_refused_and_an_absent_one_is_not() {
        let allowed = ["https://app.example".to_owned()];
        assert!(origin_allowed(None, &allowed));
        assert!(origin_allowed(Some("https://app.example"), &allowed));
        for foreign in ["https://evil.example", "null", "", "https://app.example.evil"] {
            assert!(!origin_allowed(Some(foreign), &allowed), "{foreign}");
        }
        assert!(!origin_allowed(Some("https://app.example"), &[]));
    }
}
