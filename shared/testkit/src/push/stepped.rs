//! Ports whose every call is one step, so that a test can choose who takes the next one.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use holdfast_push::budget::RecoveryReservation;
use holdfast_push::channel::{Channel, Position, Topic};
use holdfast_push::close::CloseRequest;
use holdfast_push::frame::ServerFrame;
use holdfast_push::ids::{ConnectionId, Epoch};
use holdfast_push::job::{Job, Lane};
use holdfast_push::message::{Message, Recorded};
use holdfast_push::outcome::{Posted, Probe};
use holdfast_push::ports::{
    Appended, Audience, Begun, Channels, CloseQueue, DeadLetters, Gateway, JobQueue, Joined, Page, PublishKeys,
    RecoveryBudget, Sockets, Subscriptions, Tickets,
};
use holdfast_push::publish::{Answer, Pending, PublishKey, Queued};
use holdfast_push::socket::{FrameWindow, Socket};
use holdfast_push::ticket::TicketRow;
use holdfast_sessions::ports::{SessionReads, StoreResult};
use holdfast_sessions::session::{Slot, UserState};
use holdfast_sessions::token::Address;
use holdfast_sessions::{Millis, TokenHash, UserId};

/// A port whose every call waits for one turn, and then runs at once and as a whole.
#[derive(Clone, Debug, Default)]
pub struct Stepped<T>(pub T);

/// Waits for one turn.
pub async fn step() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

macro_rules! stepped {
    ($trait:ident { $(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)* }) => {
        impl<T: $trait> $trait for Stepped<T> {
            $(async fn $name(&self, $($arg: $type),*) -> $result {
                step().await;
                self.0.$name($($arg),*).await
            })*
        }
    };
}

stepped!(SessionReads {
    fn slot(at: Address) -> StoreResult<Option<Slot>>;
    fn user(user: UserId) -> StoreResult<Option<UserState>>;
});
stepped!(Tickets {
    fn put_ticket(ticket: &TicketRow) -> StoreResult<()>;
    fn ticket(hash: &TokenHash) -> StoreResult<Option<TicketRow>>;
    fn consume(hash: &TokenHash, now: Millis) -> StoreResult<Option<TicketRow>>;
});
stepped!(Sockets {
    fn open(socket: &Socket, email: &str) -> StoreResult<()>;
    fn is_gone(id: &ConnectionId) -> StoreResult<bool>;
    fn socket(id: &ConnectionId) -> StoreResult<Option<Socket>>;
    fn of_user(user: UserId) -> StoreResult<Vec<Socket>>;
    fn forget(id: &ConnectionId, user: Option<UserId>) -> StoreResult<()>;
    fn mark_gone(id: &ConnectionId, now: Millis) -> StoreResult<()>;
    fn count_frame(id: &ConnectionId) -> StoreResult<Option<FrameWindow>>;
    fn count_after_silence(id: &ConnectionId, now: Millis) -> StoreResult<Option<FrameWindow>>;
    fn refresh(seen: &FrameWindow, session_expires_at: Millis, now: Millis) -> StoreResult<()>;
    fn extend(socket: &Socket, session_expires_at: Millis) -> StoreResult<()>;
    fn confirm_open(socket: &Socket, now: Millis) -> StoreResult<()>;
});
stepped!(Subscriptions {
    fn join(socket: &Socket, topics: &[Topic]) -> StoreResult<Joined>;
    fn unsubscribe(id: &ConnectionId, topic: &Topic) -> StoreResult<()>;
    fn topics(id: &ConnectionId) -> StoreResult<Vec<Topic>>;
});
stepped!(Audience {
    fn page(channel: &Channel, shard: u8, after: Option<&ConnectionId>) -> StoreResult<Page>;
});
stepped!(Channels {
    fn head(channel: &Channel) -> StoreResult<Option<Position>>;
    fn recent_head(channel: &Channel) -> StoreResult<Option<Position>>;
    fn begin(channel: &Channel, epoch: Epoch, now: Millis) -> StoreResult<Position>;
    fn append(channel: &Channel, head: Position, messages: &[&Message]) -> StoreResult<Appended>;
    fn record(channel: &Channel, place: Position, message: &Message) -> StoreResult<Option<Recorded>>;
    fn advance(channel: &Channel, to: &Recorded) -> StoreResult<bool>;
    fn message(channel: &Channel, place: Position) -> StoreResult<Option<Recorded>>;
    fn range(channel: &Channel, after: u64, head: Position, max_bytes: usize) -> StoreResult<Vec<Recorded>>;
});
stepped!(PublishKeys {
    fn begin_publish(key: &PublishKey, pending: &Pending, now: Millis) -> StoreResult<Begun>;
    fn finish_publish(key: &PublishKey, answer: &Answer) -> StoreResult<()>;
});
stepped!(RecoveryBudget {
    fn reserve(reservation: &RecoveryReservation) -> StoreResult<bool>;
});
stepped!(CloseQueue {
    fn ask(request: &CloseRequest, delay_seconds: u32) -> StoreResult<()>;
});
stepped!(JobQueue {
    fn enqueue(job: &Job, delay_seconds: u32) -> StoreResult<()>;
    fn hand_in(queued: &Queued, delay_seconds: u32) -> StoreResult<()>;
});
stepped!(DeadLetters {
    fn dead_letter(lane: Lane, job: &Job) -> StoreResult<()>;
});

impl<T: Gateway> Gateway for Stepped<T> {
    fn text(&self, frame: &ServerFrame) -> String {
        self.0.text(frame)
    }

    async fn post(&self, to: &ConnectionId, text: &str) -> Posted {
        step().await;
        self.0.post(to, text).await
    }

    async fn close(&self, id: &ConnectionId) -> Posted {
        step().await;
        self.0.close(id).await
    }

    async fn probe(&self, id: &ConnectionId) -> Probe {
        step().await;
        self.0.probe(id).await
    }
}

/// An actor that takes steps.
pub type Actor<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// One order of steps out of all that are possible.
#[derive(Debug, Default)]
pub struct Schedule {
    /// The actor that took each turn, and the number of actors that could.
    turns: Vec<(usize, usize)>,
    at: usize,
}

impl Schedule {
    /// Lets the actors take their steps until all have finished. Everything must follow from the order of turns.
    pub fn run(&mut self, mut actors: Vec<Actor<'_>>) {
        let mut context = Context::from_waker(Waker::noop());
        while !actors.is_empty() {
            let who = self.turn(actors.len());
            if actors[who].as_mut().poll(&mut context).is_ready() {
                drop(actors.remove(who));
            }
        }
    }

    fn turn(&mut self, of: usize) -> usize {
        if self.at == self.turns.len() {
            self.turns.push((0, of));
        }
        let (who, known) = self.turns[self.at];
        assert_eq!(known, of, "the same turns led elsewhere: something does not follow from them");
        self.at += 1;
        who
    }

    /// Moves to the next order; `false` when there is none.
    fn advance(&mut self) -> bool {
        self.turns.truncate(self.at);
        self.at = 0;
        while let Some((who, of)) = self.turns.pop() {
            if who + 1 < of {
                self.turns.push((who + 1, of));
                return true;
            }
        }
        false
    }
}

/// Runs every order of the actors' steps, and returns how many there were. `play` collects its own results.
pub fn every_schedule(mut play: impl FnMut(&mut Schedule)) -> usize {
    let mut schedule = Schedule::default();
    let mut count = 0;
    loop {
        play(&mut schedule);
        count += 1;
        if !schedule.advance() {
            return count;
        }
    }
}

/// Lets `actor` take `steps` steps and no more, as a function does that crashes. Returns whether it finished.
pub fn dies_after(steps: usize, mut actor: Actor<'_>) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    (0..=steps).any(|_| actor.as_mut().poll(&mut context).is_ready())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn two_actors_of_two_steps_have_six_orders() {
        let seen = RefCell::new(BTreeSet::new());
        let count = every_schedule(|schedule| {
            let order = RefCell::new(String::new());
            let order_of = |name: char| {
                let order = &order;
                Box::pin(async move {
                    order.borrow_mut().push(name);
                    step().await;
                    order.borrow_mut().push(name);
                }) as Actor<'_>
            };
            schedule.run(vec![order_of('a'), order_of('b')]);
            seen.borrow_mut().insert(order.into_inner());
        });
        assert_eq!((count, seen.borrow().len()), (6, 6));
    }

    #[test]
    fn whoever_dies_leaves_the_rest_undone() {
        let done = RefCell::new(0);
        let actor = || {
            Box::pin(async {
                for _ in 0..3 {
                    step().await;
                    *done.borrow_mut() += 1;
                }
            }) as Actor<'_>
        };
        assert!(!dies_after(2, actor()));
        assert_eq!(*done.borrow(), 2);
        assert!(dies_after(3, actor()));
    }
}
