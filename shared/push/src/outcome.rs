//! The meaning of an answer of `@connections`. A 410 does not prove that a socket is closed. API Gateway also returns
//! it before `$connect` has returned, and sometimes for live sockets.

/// The answer to a post or a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Posted {
    /// The socket accepted it (200).
    Done,
    /// API Gateway reports the socket as closed (410).
    Gone,
    /// The rate is too high, or the buffer of this client is full (429).
    Throttled,
    /// The message is too large (413).
    TooLarge,
    /// The message is rejected (400).
    Rejected,
    /// Our own configuration forbids the post (403).
    Forbidden,
    /// The outcome is unknown (5xx, a time-out, a lost reply), and the message may have been delivered.
    Unknown,
}

/// The answer of API Gateway when it is asked about a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Probe {
    /// The socket is open.
    Alive,
    /// API Gateway reports the socket as closed (410).
    Gone,
    /// There is no usable answer.
    Unknown,
}

impl Posted {
    /// The meaning of an HTTP status.
    pub const fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Posted::Done,
            410 => Posted::Gone,
            429 => Posted::Throttled,
            413 => Posted::TooLarge,
            403 => Posted::Forbidden,
            400..=499 => Posted::Rejected,
            _ => Posted::Unknown,
        }
    }

    /// The text of the reason in dead letters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Posted::Done => "DONE",
            Posted::Gone => "GONE",
            Posted::Throttled => "THROTTLED",
            Posted::TooLarge => "TOO_LARGE",
            Posted::Rejected => "REJECTED",
            Posted::Forbidden => "FORBIDDEN",
            Posted::Unknown => "UNKNOWN",
        }
    }

    /// The next step for this recipient.
    pub const fn next(self) -> Next {
        match self {
            Posted::Done => Next::Finished,
            Posted::Gone => Next::Probe,
            Posted::Throttled | Posted::Unknown => Next::Again,
            Posted::TooLarge | Posted::Rejected => Next::GiveUp,
            Posted::Forbidden => Next::Fail,
        }
    }
}

/// The next step for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is no more work.
    Finished,
    /// Ask API Gateway again before the 410 is trusted.
    Probe,
    /// Try again later, under the same id.
    Again,
    /// Give up, because no later attempt can succeed.
    GiveUp,
    /// Fail the whole record, because no socket can be reached until an operator repairs the configuration.
    Fail,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_a_reason_of_its_own_in_dead_letters() {
        for (status, reason) in [
            (200, "DONE"),
            (204, "DONE"),
            (410, "GONE"),
            (429, "THROTTLED"),
            (413, "TOO_LARGE"),
            (403, "FORBIDDEN"),
            (400, "REJECTED"),
            (404, "REJECTED"),
            (499, "REJECTED"),
            (500, "UNKNOWN"),
            (302, "UNKNOWN"),
            (0, "UNKNOWN"),
        ] {
            assert_eq!(Posted::of_status(status).as_str(), reason, "{status}");
        }
    }

    #[test]
    fn each_status_has_one_consequence() {
        for (status, next) in [
            (200, Next::Finished),
            (410, Next::Probe),
            (429, Next::Again),
            (500, Next::Again),
            (503, Next::Again),
            (302, Next::Again),
            (413, Next::GiveUp),
            (400, Next::GiveUp),
            (403, Next::Fail),
        ] {
            assert_eq!(Posted::of_status(status).next(), next, "{status}");
        }
    }
}
