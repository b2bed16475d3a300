//! The state as the domain's own types, so that the domain's own code decides.

use holdfast_sessions::account::{Account, Status};
use holdfast_sessions::device::Device;
use holdfast_sessions::policy::Policy;
use holdfast_sessions::session::{EndReason, Ended, Keys, Slot, UserState};
use holdfast_sessions::slots;
use holdfast_sessions::token::Address;
use holdfast_sessions::{Millis, SessionId, SlotNo, TokenHash, UserId};

use super::state::{Item, LIMIT, Plan, State};

const USER: UserId = UserId::from_bytes([1; 16]);

fn at(tick: u8) -> Millis {
    Millis::new(0).plus_seconds(i64::from(tick))
}

fn slot(number: SlotNo, item: Item) -> Slot {
    let hash = TokenHash::from_bytes([item.sid; 32]);
    let keys = Keys { access: hash, access_expires_at: at(item.expires), previous_access: None, refresh: None };
    Slot {
        at: Address { user: USER, slot: number },
        sid: SessionId::from_bytes([item.sid; 16]),
        email: String::new(),
        identity: None,
        claims: holdfast_sessions::claims::Claims::default(),
        version: u64::from(item.version),
        keys: (!item.ended).then_some(keys),
        created_at: at(0),
        authenticated_at: at(0),
        last_used_at: at(item.used),
        last_updated_at: at(0),
        idle_expires_at: at(item.expires),
        absolute_expires_at: at(u8::MAX),
        stay_signed_in: false,
        mfa_verified_at: None,
        device: Device::default(),
        trust: None,
        op: String::new(),
        ended: item.ended.then_some(Ended { at: at(0), reason: EndReason::Logout }),
    }
}

/// Where a sign-in planned now goes. `random` is what spreads concurrent sign-ins over the free slots.
pub(super) fn plan(state: &State, random: u64, limit: usize) -> Plan {
    let user = UserState {
        account: Account {
            user: USER,
            email: String::new(),
            identity: None,
            claims: holdfast_sessions::claims::Claims::default(),
            password: String::new(),
            auth_epoch: u64::from(state.epoch),
            epoch_moved_at: None,
            status: Status::Active,
            version: 0,
            mfa: holdfast_sessions::mfa::Mfa::default(),
        },
        slots: SlotNo::all().zip(&state.slots).filter_map(|(no, item)| item.map(|item| slot(no, item))).collect(),
    };
    let policy = Policy { max_sessions: u8::try_from(limit).unwrap_or(u8::MAX), ..Policy::default() };
    let placed = slots::choose_slot(&user, &policy, at(state.now), random);
    let seen = |sid: SessionId| state.slots.iter().flatten().find(|item| item.sid == sid.as_bytes()[0]);
    Plan {
        slot: placed.slot.get(),
        victim: placed.victim.and_then(|v| seen(v.sid)).map(|item| (item.sid, item.version, item.used)),
        sessions_over_limit: placed.sessions_over_limit.first().map(|(no, sid)| (no.get(), sid.as_bytes()[0])),
        now: state.now,
    }
}

/// One slot more than the limit, for a variant that counts: the highest of all.
pub(super) const ANYWHERE: usize = LIMIT + 1;
