//! A client that follows the protocol: it moves its marks by frames, drops duplicates, and requests missing messages.

use std::collections::{BTreeMap, HashSet};

use holdfast_push::channel::{Channel, Position};
use holdfast_push::frame::{Mark, ServerFrame};
use holdfast_push::ids::MessageId;

#[derive(Clone, Debug, Default)]
struct Line {
    mark: Option<Position>,
    /// Received beyond a gap.
    held: BTreeMap<u64, MessageId>,
    /// The messages that the application received, in order.
    given: Vec<(u64, MessageId)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    lines: BTreeMap<Channel, Line>,
    seen: HashSet<MessageId>,
    /// Frames without anything new.
    pub(crate) duplicates: u64,
    pub(crate) ephemeral: u64,
    /// `recovered:false` after the first `welcome`.
    pub(crate) reloads: Vec<(Channel, Position, Position)>,
    /// Whether it should send `hello`.
    pub(crate) is_behind: bool,
    pub(crate) must_leave: bool,
}

impl Client {
    pub(crate) fn following(channels: impl IntoIterator<Item = Channel>) -> Self {
        Self { lines: channels.into_iter().map(|channel| (channel, Line::default())).collect(), ..Self::default() }
    }

    pub(crate) fn marks(&self) -> Vec<Mark> {
        self.lines.iter().map(|(channel, line)| Mark { channel: channel.clone(), at: line.mark }).collect()
    }

    pub(crate) fn mark(&self, channel: &Channel) -> Option<Position> {
        self.lines.get(channel).and_then(|line| line.mark)
    }

    pub(crate) fn given(&self, channel: &Channel) -> &[(u64, MessageId)] {
        self.lines.get(channel).map(|line| line.given.as_slice()).unwrap_or_default()
    }

    pub(crate) fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.lines.keys()
    }

    /// Gives the application one message that it received through the history route.
    pub(crate) fn reload(&mut self, channel: &Channel, at: Position, id: MessageId) {
        self.message(channel, at, id);
    }

    pub(crate) fn receive(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Message { id, channel, at: Some(at), .. } => self.message(&channel, at, id),
            ServerFrame::Message { at: None, .. } => self.ephemeral += 1,
            ServerFrame::Welcome { channels, .. } => {
                for welcomed in channels {
                    let Some(line) = self.lines.get_mut(&welcomed.channel) else { continue };
                    match line.mark {
                        // The first time: from now on.
                        None => line.mark = Some(welcomed.head),
                        Some(mark) if !welcomed.recovered => {
                            self.reloads.push((welcomed.channel.clone(), mark, welcomed.head));
                        }
                        // The mark moves by the frames that follow, not by this.
                        Some(_) => {}
                    }
                }
            }
            ServerFrame::Pong(heads) => {
                for (channel, head) in heads {
                    self.is_behind |= self.mark(&channel).is_some_and(|mark| mark.offset < head.offset);
                }
            }
            ServerFrame::Bye(_) => self.must_leave = true,
            other => panic!("nobody asked for {other:?}"),
        }
    }

    fn message(&mut self, channel: &Channel, at: Position, id: MessageId) {
        let Some(line) = self.lines.get_mut(channel) else { panic!("a message on {channel}") };
        let Some(mark) = &mut line.mark else {
            // The first `welcome` has not named the head yet. The message will be recovered, or it is older than the
            // client's start.
            return;
        };
        assert_eq!(mark.epoch, at.epoch, "the numbering of {channel} changed");
        if at.offset <= mark.offset || !self.seen.insert(id) {
            self.duplicates += 1;
            return;
        }
        line.held.insert(at.offset, id);
        while let Some(id) = line.held.remove(&(mark.offset + 1)) {
            mark.offset += 1;
            line.given.push((mark.offset, id));
        }
        self.is_behind |= !line.held.is_empty();
    }
}
