//! Records of the table's stream as changes of rows.

use holdfast_sessions::event::{AccountImage, ChallengeImage, DeviceImage, LoginImage, SlotImage};
use holdfast_sessions::ports::{StoreError, StoreResult};
use serde_json::Value;

use super::image;
use super::keys::{self, Row};
use crate::attributes::Item;
use crate::stream::item_from_json;

/// One row before and after a change, each only where it existed.
#[derive(Clone, Debug)]
pub struct BeforeAfter<T>(pub Option<T>, pub Option<T>);

/// What one record says, by the kind of its row.
#[derive(Clone, Debug)]
pub enum Change {
    /// A session slot.
    Slot(Box<BeforeAfter<SlotImage>>),
    /// The parent row of a sign-in.
    Login(BeforeAfter<LoginImage>),
    /// The second factor of a sign-in.
    Challenge(BeforeAfter<ChallengeImage>),
    /// The row of an account.
    Account(BeforeAfter<AccountImage>),
    /// A trusted device.
    Device(BeforeAfter<DeviceImage>),
    /// A row that no event is about.
    Other,
}

/// Reads a change from the JSON of a record's keys and images.
///
/// # Errors
/// Refuses an image that this release cannot read.
pub fn change(keys: &Value, old: Option<&Value>, new: Option<&Value>) -> StoreResult<Change> {
    let key = |name: &str| keys[name]["S"].as_str().unwrap_or_default();
    Ok(match keys::row(key(keys::PK), key(keys::SK)) {
        Row::Slot(_) => Change::Slot(Box::new(both(old, new, image::slot_event)?)),
        Row::Login(_) => Change::Login(both(old, new, image::login_event)?),
        Row::Challenge(_) => Change::Challenge(both(old, new, image::challenge_event)?),
        Row::Account(_) => Change::Account(both(old, new, image::account_event)?),
        Row::Device(..) => Change::Device(both(old, new, image::device_event)?),
        Row::Other => Change::Other,
    })
}

fn both<T>(
    old: Option<&Value>,
    new: Option<&Value>,
    read: impl Fn(&Item) -> Result<T, StoreError>,
) -> StoreResult<BeforeAfter<T>> {
    let read = |image: Option<&Value>| image.map(|image| read(&item_from_json(image)?)).transpose();
    Ok(BeforeAfter(read(old)?, read(new)?))
}
