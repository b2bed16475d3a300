use holdfast_push::channel::{Channel, Position};
use holdfast_push::ids::{Epoch, MessageId};
use holdfast_push::job::{Job, Lane};
use holdfast_push::ports::{Channels as _, Count};
use holdfast_push::publish::{Answer, Publish, Queued};
use holdfast_sessions::ports::{Clock as _, StoreError};
use holdfast_sessions::{Code, Millis};

use crate::world::{World, to, to_all, to_topic};

const SHOP: &str = "arn:aws:sts::1:assumed-role/shop";

fn keyed(publish: Publish, key: &str) -> Publish {
    Publish { idempotency_key: Some(key.into()), ..publish }
}

#[tokio::test]
async fn one_target_has_a_channel_and_an_offset() {
    let world = World::default();
    let person = world.person();
    let published = world.publisher().publish(SHOP, &to(&[&person], "1")).await.unwrap();
    assert!(!published.duplicate);
    let Answer { recipients, channel, offset, .. } = published.answer;
    assert_eq!((recipients, channel, offset), (Some(1), Some(person.channel()), Some(1)));
    let all = world.publisher().publish(SHOP, &to_all("1")).await.unwrap().answer;
    assert_eq!((all.recipients, all.channel, all.offset), (None, Some(Channel::Broadcast), Some(1)));
    assert_eq!(world.counters.of(Count::Accepted), 2);
}

#[tokio::test]
async fn many_targets_are_counted_and_go_to_the_queue_in_slices() {
    let world = World::default();
    let people: Vec<_> = (0..2_500).map(|_| world.person()).collect();
    let people: Vec<_> = people.iter().collect();
    let answer = world.publisher().publish(SHOP, &to(&people, "1")).await.unwrap().answer;
    assert_eq!((answer.recipients, answer.channel, answer.offset), (Some(2_500), None, None));
    let mut slices = Vec::new();
    while let Some((job, _)) = world.queues.next_job() {
        assert_eq!(job.lane(), Lane::Direct);
        match job {
            Job::Users { users, .. } => slices.push(users.len()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(slices, [1_000, 1_000, 500]);
}

#[tokio::test]
async fn what_goes_to_many_goes_by_the_other_queue() {
    let world = World::default();
    for publish in [to_all("1"), to_topic("public.a", "1")] {
        world.publisher().publish(SHOP, &publish).await.unwrap();
        assert_eq!(world.queues.next_job().unwrap().0.lane(), Lane::Broadcast);
    }
}

#[tokio::test]
async fn a_repetition_gets_the_first_answer_whatever_it_says() {
    let world = World::default();
    let (one, two) = (world.person(), world.person());
    let first = world.publisher().publish(SHOP, &keyed(to(&[&one], "1"), "k")).await.unwrap();
    let again = world.publisher().publish(SHOP, &keyed(to(&[&two], "2"), "k")).await.unwrap();
    assert_eq!(again.answer, first.answer);
    assert!(again.duplicate && !first.duplicate);
    assert_eq!(world.table.messages(&one.channel()).len(), 1);
    assert_eq!(world.table.messages(&two.channel()).len(), 0);
}

#[tokio::test]
async fn another_publisher_has_keys_of_its_own() {
    let world = World::default();
    let person = world.person();
    let first = world.publisher().publish(SHOP, &keyed(to(&[&person], "1"), "k")).await.unwrap();
    let other = world.publisher().publish("arn:other", &keyed(to(&[&person], "1"), "k")).await.unwrap();
    assert_ne!(first.answer.message_id, other.answer.message_id);
    assert!(!other.duplicate);
}

#[tokio::test]
async fn a_key_is_free_again_after_a_day() {
    let world = World::default();
    let person = world.person();
    let publish = keyed(to(&[&person], "1"), "k");
    let first = world.publisher().publish(SHOP, &publish).await.unwrap();
    world.host.advance_seconds(86_399);
    assert!(world.publisher().publish(SHOP, &publish).await.unwrap().duplicate);
    world.host.advance_seconds(1);
    let next = world.publisher().publish(SHOP, &publish).await.unwrap();
    assert!(!next.duplicate);
    assert_ne!(next.answer.message_id, first.answer.message_id);
}

/// The first call fails after the message is stored. The repetition repeats the stored request under the same id, and
/// appends nothing twice.
#[tokio::test]
async fn a_publish_that_was_cut_short_is_finished_by_its_repetition() {
    let world = World::default();
    let person = world.person();
    world.queues.fail_after(Some(0));
    let publish = keyed(to(&[&person], "1"), "k");
    assert_eq!(world.publisher().publish(SHOP, &publish).await.unwrap_err().code, Code::Unavailable);
    assert!(world.queues.next_job().is_none());
    world.queues.fail_after(None);
    let changed = keyed(to_all("2"), "k");
    let repeated = world.publisher().publish(SHOP, &changed).await.unwrap();
    assert_eq!(repeated.answer.channel, Some(person.channel()), "the stored request, not the new one");
    assert_eq!(repeated.answer.offset, Some(1));
    let kept = world.table.messages(&person.channel());
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].message.id, repeated.answer.message_id);
    assert!(matches!(world.queues.next_job(), Some((Job::Channel { .. }, 0))));
    assert!(world.queues.next_job().is_none());
    assert!(world.publisher().publish(SHOP, &changed).await.unwrap().duplicate);
    assert!(world.queues.next_job().is_none(), "an answered key sends nothing");
}

#[tokio::test]
async fn many_slices_cut_short_are_sent_again_whole() {
    let world = World::default();
    let people: Vec<_> = (0..2_500).map(|_| world.person()).collect();
    let publish = keyed(to(&people.iter().collect::<Vec<_>>(), "1"), "k");
    world.queues.fail_after(Some(1));
    assert!(world.publisher().publish(SHOP, &publish).await.is_err());
    world.queues.fail_after(None);
    assert_eq!(world.publisher().publish(SHOP, &publish).await.unwrap().answer.recipients, Some(2_500));
    world.work_off().await;
    for person in &people {
        assert_eq!(world.table.messages(&person.channel()).len(), 1);
    }
}

#[tokio::test]
async fn a_channel_that_is_written_too_fast_says_when_to_come_back() {
    let world = World::default();
    let person = world.person();
    world.table.contend(usize::MAX);
    // Waiting takes no time on this clock: let it pass.
    let clock = world.host.clone();
    let passing = tokio::spawn(async move {
        loop {
            clock.advance_seconds(1);
            tokio::task::yield_now().await;
        }
    });
    let failure = world.publisher().publish(SHOP, &to(&[&person], "1")).await.unwrap_err();
    passing.abort();
    assert_eq!((failure.code, failure.retry_after_seconds), (Code::ChannelBusy, Some(1)));
    assert_eq!(world.table.messages(&person.channel()).len(), 0);
    assert!(world.queues.next_job().is_none());
}

#[tokio::test]
async fn writers_that_meet_get_different_offsets() {
    let world = World::default();
    let person = world.person();
    world.table.contend(3);
    for n in 1..=3 {
        let answer = world.publisher().publish(SHOP, &to(&[&person], "1")).await.unwrap().answer;
        assert_eq!(answer.offset, Some(n));
    }
}

/// A table that was restored, or a channel that was silent for a month, begins a new epoch, and rows of the one before are there.
#[tokio::test]
async fn a_message_takes_the_place_of_one_of_another_epoch() {
    let world = World::default();
    let person = world.person();
    let old = Position { epoch: Epoch::from_bytes([9; 8]), offset: 1 };
    let message = to(&[&person], "0").message(MessageId::from_bytes([9; 16]), Millis::new(0));
    assert_eq!(world.table.record(&person.channel(), old, &message).await, Ok(None));
    let answer = world.publisher().publish(SHOP, &to(&[&person], "1")).await.unwrap().answer;
    let kept = world.table.messages(&person.channel());
    assert_eq!(answer.offset, Some(1));
    assert_eq!(kept.iter().map(|kept| kept.message.id).collect::<Vec<_>>(), [answer.message_id]);
    assert_ne!(kept[0].at.epoch, old.epoch);
}

/// Its publisher got an error and may have sent it again, so it does not come a day later with the next message.
#[tokio::test]
async fn a_message_that_its_publisher_has_given_up_is_written_over() {
    for (millis, offset) in [(999, 2), (1_000, 1)] {
        let world = World::default();
        let person = world.person();
        let head = world.table.begin(&person.channel(), Epoch::from_bytes([9; 8]), Millis::new(0)).await.unwrap();
        let message =
            to(&[&person], "0").message(MessageId::from_bytes([9; 16]), world.host.now().plus_millis(-millis));
        assert_eq!(world.table.record(&person.channel(), Position { offset: 1, ..head }, &message).await, Ok(None));
        let answer = world.publisher().publish(SHOP, &to(&[&person], "1")).await.unwrap().answer;
        let kept = world.table.messages(&person.channel());
        assert_eq!((answer.offset, kept.len()), (Some(offset), offset as usize), "{millis} ms");
        assert_eq!(kept.last().map(|kept| kept.message.id), Some(answer.message_id));
    }
}

#[tokio::test]
async fn an_ephemeral_message_is_nowhere() {
    let world = World::default();
    let person = world.person();
    let publish = Publish { ephemeral: true, ..to(&[&person], "1") };
    let answer = world.publisher().publish(SHOP, &publish).await.unwrap().answer;
    assert_eq!((answer.channel, answer.offset), (Some(person.channel()), None));
    assert_eq!(world.table.messages(&person.channel()).len(), 0);
}

fn queued(publish: Publish) -> Queued {
    Queued { publish, publisher: "sqs:shop".into(), id: Queued::id_of("m1"), sent_at: Millis::new(1_767_225_600_000) }
}

#[tokio::test]
async fn a_queued_publish_that_is_delivered_twice_is_one_message() {
    let world = World::default();
    let person = world.person();
    let queued = queued(to(&[&person], "1"));
    for _ in 0..2 {
        let published = world.publisher().publish_queued(&queued).await.unwrap().unwrap();
        assert_eq!((published.answer.message_id, published.answer.offset), (queued.id, Some(1)));
    }
    assert_eq!(world.table.messages(&person.channel()).len(), 1);
}

#[tokio::test]
async fn a_queued_publish_waits_for_a_throttled_table_outside() {
    let world = World::default();
    let person = world.person();
    world.table.break_channel(&person.channel(), Some(StoreError::Throttled("GetItem".into())));
    let first = queued(to(&[&person], "1"));
    assert_eq!(world.publisher().publish_queued(&first).await, Ok(None));
    assert_eq!(world.queues.next_handed_in().map(|(again, _)| again), Some(first));
    // Any other error costs a delivery of the record.
    world.table.break_channel(&person.channel(), Some(StoreError::Unavailable("GetItem".into())));
    assert!(world.publisher().publish_queued(&queued(to(&[&person], "1"))).await.is_err());
}

#[tokio::test]
async fn a_queued_publish_waits_for_a_busy_channel_outside() {
    let world = World::default();
    let person = world.person();
    world.table.contend(usize::MAX);
    let clock = world.host.clone();
    let passing = tokio::spawn(async move {
        loop {
            clock.advance_seconds(1);
            tokio::task::yield_now().await;
        }
    });
    let first = queued(to(&[&person], "1"));
    assert_eq!(world.publisher().publish_queued(&first).await, Ok(None));
    passing.abort();
    world.table.contend(0);
    let (again, delay) = world.queues.next_handed_in().unwrap();
    assert_eq!(delay, 2);
    assert_eq!(again, first);
    assert_eq!(world.publisher().publish_queued(&again).await.unwrap().unwrap().answer.message_id, first.id);
}
