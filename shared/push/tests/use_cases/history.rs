//! The messages that a reader missed, from a channel with scripted answers.

use std::sync::{Arc, Mutex};

use holdfast_push::channel::{Channel, Position};
use holdfast_push::data::Data;
use holdfast_push::ids::{Epoch, MessageId};
use holdfast_push::message::{Message, Recorded};
use holdfast_push::ports::{Appended, Channels};
use holdfast_push::service::{Budget, Recovery, beginning, recover};
use holdfast_sessions::Millis;
use holdfast_sessions::ports::{Clock as _, StoreResult};

use crate::world::{World, to};

const EPOCH: Epoch = Epoch::from_bytes([1; 8]);

fn at(offset: u64) -> Position {
    Position { epoch: EPOCH, offset }
}

fn recorded(at: Position) -> Recorded {
    let message = Message {
        id: MessageId::from_bytes([1; 16]),
        kind: "note".into(),
        data: Data::compact("\"1234567\"").unwrap(),
        sent_at: Millis::new(0),
        expires_at: Millis::new(1),
        ephemeral: false,
    };
    Recorded { at, message }
}

/// Answers each reading with the next of these lists, and repeats the last one.
#[derive(Clone, Debug)]
struct Scripted {
    answers: Arc<Mutex<Vec<Vec<Recorded>>>>,
    readings: Arc<Mutex<usize>>,
}

impl Channels for Scripted {
    async fn head(&self, _: &Channel) -> StoreResult<Option<Position>> {
        unreachable!("the head was read before")
    }

    async fn recent_head(&self, _: &Channel) -> StoreResult<Option<Position>> {
        unreachable!("the head was read before")
    }

    async fn begin(&self, _: &Channel, _: Epoch, _: Millis) -> StoreResult<Position> {
        unreachable!("a reader begins nothing")
    }

    async fn append(&self, _: &Channel, _: Position, _: &[&Message]) -> StoreResult<Appended> {
        unreachable!("a reader appends nothing")
    }

    async fn record(&self, _: &Channel, _: Position, _: &Message) -> StoreResult<Option<Recorded>> {
        unreachable!("a reader appends nothing")
    }

    async fn advance(&self, _: &Channel, _: &Recorded) -> StoreResult<bool> {
        unreachable!("a reader appends nothing")
    }

    async fn message(&self, _: &Channel, _: Position) -> StoreResult<Option<Recorded>> {
        unreachable!("a reader reads ranges")
    }

    async fn range(&self, _: &Channel, _: u64, _: Position, _: usize) -> StoreResult<Vec<Recorded>> {
        *self.readings.lock().unwrap() += 1;
        let mut answers = self.answers.lock().unwrap();
        Ok(if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() })
    }
}

/// Recovers what follows the second message up to the fifth; how many were recovered, in how many readings.
async fn recovered(answers: &[&[u64]]) -> (Option<usize>, usize) {
    let answers = answers.iter().map(|offsets| offsets.iter().map(|offset| recorded(at(*offset))).collect());
    of(answers.collect(), &mut Budget::default()).await
}

async fn of(answers: Vec<Vec<Recorded>>, budget: &mut Budget) -> (Option<usize>, usize) {
    let channel = Scripted { answers: Arc::new(Mutex::new(answers)), readings: Arc::default() };
    let found = recover(&channel, &Channel::Broadcast, Some(at(2)), at(5), budget).await.unwrap();
    let readings = *channel.readings.lock().unwrap();
    match found {
        Recovery::Complete(found) => (Some(found.len()), readings),
        Recovery::Lost => (None, readings),
    }
}

#[tokio::test]
async fn a_hole_at_the_tail_is_read_once_more_and_any_other_is_a_loss() {
    assert_eq!(recovered(&[&[3, 4, 5]]).await, (Some(3), 1));
    assert_eq!(recovered(&[&[3, 4], &[3, 4, 5]]).await, (Some(3), 2), "an answer that overtook a write");
    assert_eq!(recovered(&[&[], &[3, 4, 5]]).await, (Some(3), 2));
    assert_eq!(recovered(&[&[3, 4], &[3, 4], &[3, 4, 5]]).await, (None, 2), "but once only");
    for hole in [&[4, 5][..], &[3, 5], &[5], &[3, 4, 6], &[2, 3, 4], &[3, 3, 4]] {
        assert_eq!(recovered(&[hole, &[3, 4, 5]]).await, (None, 1), "{hole:?}");
    }
}

#[tokio::test]
async fn messages_of_another_epoch_are_not_recovered() {
    let other = Position { epoch: Epoch::from_bytes([2; 8]), offset: 4 };
    let mixed = vec![recorded(at(3)), recorded(other), recorded(at(5))];
    assert_eq!(of(vec![mixed.clone(), mixed], &mut Budget::default()).await.0, None);
}

#[tokio::test]
async fn what_is_recovered_is_taken_out_of_the_budget_and_nothing_else_is() {
    let all = || vec![[3, 4, 5].map(|offset| recorded(at(offset))).to_vec()];
    for (messages, bytes, found) in [(3, 27, true), (10, 100, true), (2, 100, false), (10, 26, false)] {
        let mut budget = Budget { messages, bytes };
        assert_eq!(of(all(), &mut budget).await.0.is_some(), found, "{messages} messages and {bytes} bytes");
        let left = if found { (messages - 3, bytes - 27) } else { (messages, bytes) };
        assert_eq!((budget.messages, budget.bytes), left);
    }
}

/// A reader without a mark begins before the oldest message of the last day, also where older ones fill whole pages.
#[tokio::test]
async fn a_reader_without_a_mark_begins_with_the_oldest_message_that_is_kept() {
    let world = World::default();
    let person = world.person();
    let publish = async |count: usize| {
        for n in 0..count {
            world.publisher().publish("arn", &to(&[&person], &n.to_string())).await.unwrap();
        }
    };
    publish(3).await;
    world.host.advance_seconds(86_400);
    publish(2).await;
    let head = world.table.head(&person.channel()).await.unwrap().unwrap();
    let begins = async || beginning(&world.table, &person.channel(), head, world.host.now()).await.unwrap().offset;
    assert_eq!(begins().await, 3);
    world.host.advance_seconds(86_399);
    assert_eq!(begins().await, 3);
    world.host.advance_seconds(1);
    assert_eq!(begins().await, 5, "nothing of the last day: the head");
}
