//! Publishers without idempotency keys write to one channel, in every order of their calls. The answer of an append may be a
//! conflict, whether or not the append was carried out, or will be.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use holdfast_push::channel::{Channel, Position};
use holdfast_push::ids::Epoch;
use holdfast_push::message::{Message, Recorded};
use holdfast_push::ports::{Appended, Begun, Channels, PublishKeys};
use holdfast_push::publish::{Answer, Pending, PublishKey};
use holdfast_push::service::Publisher;
use holdfast_sessions::Millis;
use holdfast_sessions::ports::{StoreError, StoreResult};
use holdfast_testkit::push::MemoryTable;
use holdfast_testkit::push::stepped::{Actor, Stepped, every_schedule};

use crate::world::{World, to};

/// What becomes of an append and of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    /// It is carried out, and reported as a conflict.
    DoneAndDenied,
    /// It is not carried out, and reported as a conflict.
    Denied,
    /// It is reported as a conflict, and carried out when the publisher tries again.
    DeniedAndDoneLater,
}

const FATES: [Fate; 4] = [Fate::Answered, Fate::DoneAndDenied, Fate::Denied, Fate::DeniedAndDoneLater];

/// A table of one publisher, with the fates of its first appends.
#[derive(Clone)]
struct Unsure {
    table: Stepped<MemoryTable>,
    fates: Arc<Mutex<Vec<Fate>>>,
    /// The head of an append that is still to be carried out.
    late: Arc<Mutex<Option<Position>>>,
}

impl Channels for Unsure {
    async fn head(&self, channel: &Channel) -> StoreResult<Option<Position>> {
        self.table.head(channel).await
    }

    async fn recent_head(&self, channel: &Channel) -> StoreResult<Option<Position>> {
        self.table.recent_head(channel).await
    }

    async fn begin(&self, channel: &Channel, epoch: Epoch, now: Millis) -> StoreResult<Position> {
        self.table.begin(channel, epoch, now).await
    }

    async fn append(&self, channel: &Channel, head: Position, messages: &[&Message]) -> StoreResult<Appended> {
        self.table.append(channel, head, messages).await
    }

    async fn append_unrepeated(&self, channel: &Channel, head: Position, message: &Message) -> StoreResult<Appended> {
        let conflict = || Err(StoreError::Conflict("in progress".into()));
        let late = self.late.lock().unwrap().take();
        if let Some(late) = late {
            let _ = self.table.append_unrepeated(channel, late, message).await?;
        }
        let fate = self.fates.lock().unwrap().pop().unwrap_or(Fate::Answered);
        match fate {
            Fate::Answered => self.table.append_unrepeated(channel, head, message).await,
            Fate::DoneAndDenied => match self.table.append_unrepeated(channel, head, message).await {
                Ok(_) => conflict(),
                Err(error) => Err(error),
            },
            Fate::Denied => conflict(),
            Fate::DeniedAndDoneLater => {
                *self.late.lock().unwrap() = Some(head);
                conflict()
            }
        }
    }

    async fn message(&self, channel: &Channel, place: Position) -> StoreResult<Option<Recorded>> {
        self.table.message(channel, place).await
    }

    async fn range(&self, channel: &Channel, after: u64, head: Position, most: usize) -> StoreResult<Vec<Recorded>> {
        self.table.range(channel, after, head, most).await
    }
}

impl PublishKeys for Unsure {
    async fn begin_publish(&self, key: &PublishKey, pending: &Pending, now: Millis) -> StoreResult<Begun> {
        self.table.begin_publish(key, pending, now).await
    }

    async fn finish_publish(&self, key: &PublishKey, answer: &Answer) -> StoreResult<()> {
        self.table.finish_publish(key, answer).await
    }
}

#[test]
fn each_message_is_in_the_channel_once_and_where_its_answer_says() {
    let mut orders = 0;
    let plans = FATES.iter().flat_map(|one| FATES.iter().map(move |two| [*one, *two]));
    for plan in plans {
        orders += every_schedule(|schedule| {
            let world = World::default();
            let person = world.person();
            let answers = RefCell::new(BTreeSet::new());
            // The channel has begun, so that the publishers do not differ in that.
            let start = Position { epoch: Epoch::from_bytes([7; 8]), offset: 0 };
            let channel = person.channel();
            let begun = world.table.begin(&channel, start.epoch, Millis::new(0));
            assert_eq!(futures_util::FutureExt::now_or_never(begun), Some(Ok(start)));
            let publish = |fate: Fate| {
                let fates = Arc::new(Mutex::new(vec![fate]));
                let table = Unsure { table: Stepped(world.table.clone()), fates, late: Arc::default() };
                let (queue, tally) = (world.queues.clone(), world.counters.clone());
                let publisher = Publisher { table, queue, tally, host: world.host.clone() };
                let answers = &answers;
                async move {
                    let answer = publisher.publish("arn", &to(&[&person], "1")).await.unwrap().answer;
                    answers.borrow_mut().insert((answer.offset.unwrap(), answer.message_id));
                }
            };
            schedule.run(plan.iter().map(|fate| -> Actor<'_> { Box::pin(publish(*fate)) }).collect());
            let kept = world.table.messages(&channel);
            let kept: BTreeSet<_> = kept.iter().map(|recorded| (recorded.at.offset, recorded.message.id)).collect();
            let offsets: Vec<u64> = kept.iter().map(|(offset, _)| *offset).collect();
            assert_eq!((&kept, offsets.as_slice()), (&*answers.borrow(), [1, 2].as_slice()), "{plan:?}");
        });
    }
    eprintln!("two publishers of one channel, sixteen fates: {orders} orders");
    assert!(orders > 500, "{orders}");
}
