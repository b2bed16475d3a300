//! Publishers without idempotency keys write to one channel, in every order of their calls. The answer of a write may be a
//! conflict or a fault, whether or not the write was carried out, or will be.

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
use holdfast_testkit::ManualHost;
use holdfast_testkit::push::MemoryTable;
use holdfast_testkit::push::stepped::{Actor, Stepped, every_schedule};

use crate::world::{World, to};

/// What becomes of a call and of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is carried out, and reported as a conflict.
    DoneAndDenied,
    /// It is not carried out, and reported as a conflict.
    Denied,
    /// It is reported as a conflict, and carried out before the publisher's next call.
    DeniedAndDoneLater,
    /// It is carried out, and the publisher learns of a fault.
    DoneAndFailed,
    /// It is not carried out, and the publisher learns of a fault.
    Failed,
    /// The publisher learns of a fault, and it is carried out at any time afterwards.
    FailedAndDoneLater,
}

const FATES: [Fate; 5] =
    [Fate::DoneAndDenied, Fate::Denied, Fate::DeniedAndDoneLater, Fate::DoneAndFailed, Fate::Failed];

/// One of the two writes of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Write {
    Record(Position, Message),
    Advance(Recorded),
}

/// The fault that a publisher meets. The first call of one kind has this fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    Smooth,
    Recording(Fate),
    Advancing(Fate),
}

fn plans() -> Vec<Plan> {
    let troubled = FATES.iter().flat_map(|fate| [Plan::Recording(*fate), Plan::Advancing(*fate)]);
    std::iter::once(Plan::Smooth).chain(troubled).collect()
}

/// A table of one publisher, with the fault that is still to come.
#[derive(Clone)]
struct Unsure {
    table: Stepped<MemoryTable>,
    plan: Arc<Mutex<Plan>>,
    /// A write that is still to be carried out.
    late: Arc<Mutex<Option<Write>>>,
}

impl Unsure {
    /// Carries out a write that was reported as a conflict.
    async fn catch_up(&self, channel: &Channel) -> StoreResult<()> {
        let late = self.late.lock().unwrap().take();
        match late {
            None => {}
            Some(Write::Record(place, message)) => drop(self.table.record(channel, place, &message).await?),
            Some(Write::Advance(to)) => drop(self.table.advance(channel, &to).await?),
        }
        Ok(())
    }

    /// Takes the fate of this call, if it has one.
    fn fate(&self, planned: fn(Plan) -> Option<Fate>) -> Option<Fate> {
        let mut plan = self.plan.lock().unwrap();
        let fate = planned(*plan);
        if fate.is_some() {
            *plan = Plan::Smooth;
        }
        fate
    }

    async fn meet<T>(
        &self,
        fate: Option<Fate>,
        write: Write,
        call: impl Future<Output = StoreResult<T>>,
    ) -> StoreResult<T> {
        let Some(fate) = fate else { return call.await };
        if matches!(fate, Fate::DoneAndDenied | Fate::DoneAndFailed) {
            call.await?;
        } else if matches!(fate, Fate::DeniedAndDoneLater | Fate::FailedAndDoneLater) {
            *self.late.lock().unwrap() = Some(write);
        }
        Err(match fate {
            Fate::Failed | Fate::DoneAndFailed | Fate::FailedAndDoneLater => StoreError::Unavailable("a fault".into()),
            _ => StoreError::Conflict("in progress".into()),
        })
    }
}

impl Channels for Unsure {
    async fn head(&self, channel: &Channel) -> StoreResult<Option<Position>> {
        self.catch_up(channel).await?;
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

    async fn record(&self, channel: &Channel, place: Position, message: &Message) -> StoreResult<Option<Recorded>> {
        let fate = self.fate(|plan| if let Plan::Recording(fate) = plan { Some(fate) } else { None });
        let write = Write::Record(place, message.clone());
        self.meet(fate, write, self.table.record(channel, place, message)).await
    }

    async fn advance(&self, channel: &Channel, to: &Recorded) -> StoreResult<bool> {
        let fate = self.fate(|plan| if let Plan::Advancing(fate) = plan { Some(fate) } else { None });
        self.meet(fate, Write::Advance(to.clone()), self.table.advance(channel, to)).await
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

/// Runs publishers without keys, each with its plan, beside so many with a key, in every order. The clock of the last one is
/// ahead by these seconds. Returns the number of orders.
fn play(plans: &[Plan], ahead: i64, keyed: usize) -> usize {
    every_schedule(|schedule| {
        let world = World::default();
        let person = world.person();
        let (answered, failed) = (RefCell::new(BTreeSet::new()), RefCell::new(0));
        // The channel has begun, so that the publishers do not differ in that.
        let start = Position { epoch: Epoch::from_bytes([7; 8]), offset: 0 };
        let channel = person.channel();
        let begun = world.table.begin(&channel, start.epoch, Millis::new(0));
        assert_eq!(futures_util::FutureExt::now_or_never(begun), Some(Ok(start)));
        let later = ManualHost::default();
        later.advance_seconds(ahead);
        let unsure = |plan: Plan| Unsure {
            table: Stepped(world.table.clone()),
            plan: Arc::new(Mutex::new(plan)),
            late: Arc::default(),
        };
        let publish = |table: Unsure, host: ManualHost, key: Option<usize>| {
            let (queue, tally) = (world.queues.clone(), world.counters.clone());
            let publisher = Publisher { table, queue, tally, host };
            let mut request = to(&[&person], "1");
            request.idempotency_key = key.map(|key| key.to_string());
            let (answered, failed) = (&answered, &failed);
            async move {
                match publisher.publish("arn", &request).await {
                    Ok(published) => {
                        let answer = published.answer;
                        answered.borrow_mut().insert((answer.offset.unwrap(), answer.message_id));
                    }
                    Err(_) => *failed.borrow_mut() += 1,
                }
            }
        };
        let mut actors: Vec<Actor<'_>> = Vec::new();
        for (index, plan) in plans.iter().enumerate() {
            let table = unsure(*plan);
            let host = if index + 1 == plans.len() { &later } else { &world.host };
            if let Plan::Recording(Fate::FailedAndDoneLater) | Plan::Advancing(Fate::FailedAndDoneLater) = plan {
                let (table, channel) = (table.clone(), &channel);
                actors.push(Box::pin(async move { table.catch_up(channel).await.unwrap() }));
            }
            actors.push(Box::pin(publish(table, host.clone(), None)));
        }
        for key in 0..keyed {
            actors.push(Box::pin(publish(unsure(Plan::Smooth), world.host.clone(), Some(key))));
        }
        schedule.run(actors);
        let kept = world.table.messages(&channel);
        let places: Vec<u64> = kept.iter().map(|recorded| recorded.at.offset).collect();
        assert_eq!(places, (1..=kept.len() as u64).collect::<Vec<_>>(), "no gaps: {plans:?}");
        let ids: BTreeSet<_> = kept.iter().map(|recorded| recorded.message.id).collect();
        assert_eq!(ids.len(), kept.len(), "each once: {plans:?}");
        let kept: BTreeSet<_> = kept.iter().map(|recorded| (recorded.at.offset, recorded.message.id)).collect();
        let (answered, failed) = (answered.into_inner(), failed.into_inner());
        assert!(answered.is_subset(&kept), "{plans:?}: {answered:?} of {kept:?}");
        assert_eq!(answered.len() + failed, plans.len() + keyed);
        assert!(kept.len() <= answered.len() + failed, "a message that nobody sent: {plans:?}");
        let may_fail = plans.iter().filter(|plan| {
            matches!(plan, Plan::Recording(Fate::Failed | Fate::DoneAndFailed | Fate::FailedAndDoneLater))
        });
        assert!(failed <= may_fail.count(), "only a fault of the first write ends a publish: {plans:?}");
    })
}

#[test]
fn each_message_is_in_the_channel_once_and_where_its_answer_says() {
    let all = plans();
    let mut orders = 0;
    for (index, one) in all.iter().enumerate() {
        for two in &all[index..] {
            orders += play(&[*one, *two], 0, 0);
        }
    }
    eprintln!("two publishers of one channel, {} fates each: {orders} orders", all.len());
    assert!(orders > 10_000, "{orders}");
}

#[test]
fn a_publisher_with_a_key_takes_no_place_that_was_answered() {
    let mut orders = 0;
    for plan in plans() {
        orders += play(&[plan], 0, 1);
    }
    // A publisher that fails leaves its message behind the head, where the next one finds it.
    orders += play(&[Plan::Smooth, Plan::Recording(Fate::DoneAndFailed)], 0, 1);
    eprintln!("publishers of one channel with and without a key: {orders} orders");
    assert!(orders > 1_000, "{orders}");
}

/// A call that was given up may reach the table seconds later, while others write.
#[test]
fn a_write_that_comes_late_takes_no_place_that_was_answered() {
    let mut orders = 0;
    for plan in [Plan::Recording(Fate::FailedAndDoneLater), Plan::Advancing(Fate::FailedAndDoneLater)] {
        for other in [Plan::Smooth, Plan::Recording(Fate::DoneAndFailed), Plan::Advancing(Fate::Failed)] {
            orders += play(&[plan, other], 0, 0);
        }
        orders += play(&[plan, Plan::Smooth], 3, 0);
        orders += play(&[plan], 0, 1);
    }
    eprintln!("publishers whose write comes late: {orders} orders");
    assert!(orders > 1_000, "{orders}");
}

/// The second publisher takes the message of the first one for given up, although it is not.
#[test]
fn a_message_that_is_taken_for_given_up_is_appended_all_the_same() {
    let mut orders = 0;
    for plan in plans() {
        orders += play(&[plan, Plan::Smooth], 3, 0);
    }
    eprintln!("publishers of one channel with different clocks: {orders} orders");
    assert!(orders > 1_000, "{orders}");
}
