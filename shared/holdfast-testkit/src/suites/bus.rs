//! What every event bus must do.

use holdfast_domain::ports::{BusEntry, EventBus};

fn entry(number: usize) -> BusEntry {
    BusEntry {
        source: "holdfast.sessions",
        detail_type: if number.is_multiple_of(2) { "SESSION_CREATED" } else { "SESSION_REVOKED" },
        // Names in alphabetical order: a bus may parse and write the text again.
        detail: format!(r#"{{"device":"Ada’s \"☎\"","number":{number}}}"#),
    }
}

/// Every check of this module. `published` returns what has reached the bus since it was last called; buses keep no order, so
/// neither does it.
///
/// # Panics
/// When the bus does not keep the contract.
pub async fn all<B: EventBus>(bus: &B, published: &mut impl AsyncFnMut(usize) -> Vec<BusEntry>) {
    assert_eq!(bus.publish(&[]).await, Ok(()), "nothing to publish is no error");
    // AWS takes ten entries a request.
    for count in [1, 9, 10, 11, 25] {
        let entries: Vec<_> = (0..count).map(entry).collect();
        assert_eq!(bus.publish(&entries).await, Ok(()), "{count} entries");
        let mut arrived = published(count).await;
        let mut expected = entries;
        arrived.sort_by(|a, b| a.detail.cmp(&b.detail));
        expected.sort_by(|a, b| a.detail.cmp(&b.detail));
        assert_eq!(arrived, expected, "{count} entries arrive, each once and unchanged");
    }
}
