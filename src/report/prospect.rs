//! What a repair could do, in a line behind the report of a check.

use std::io::{self, Write};

use serde::Serialize;

use super::repair_rdb::{place, summary};
use super::repair_rdb_json::HealingJson;
use super::screen::Screen;
use super::{facts, size::counted};
use crate::job::recovery::Recovery;
use crate::job::repair_rdb::plan::{Action, Plan};

/// `repair: one flipped bit at 0x3f21 (16161), in the value of string "user:17" in db 0; rdbtool repair heals it`.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn text(out: &mut dyn Write, plan: &Plan, screen: &Screen) -> io::Result<()> {
    let style = screen.strong;
    let what = match &plan.action {
        Action::Heal(healing) => {
            let bits = match healing.flipped {
                1 => "a single flipped bit".to_owned(),
                bits => counted(u64::from(bits), "flipped bit"),
            };
            let at = facts::offset(healing.patch.offset);
            let place = place(&healing.place);
            format!("{bits} at {at}, in {place}: rdbtool repair heals it, and nothing is lost")
        }
        _ => format!("{}: {}", summary(plan, false), verb(plan)),
    };
    screen.prose(out, 2, &format!("{style}repair:{style:#} {what}"))
}

fn verb(plan: &Plan) -> &'static str {
    match plan.needs() {
        Recovery::Salvage => "rdbtool repair --salvage does it",
        Recovery::Strict | Recovery::Tail => "rdbtool repair does it",
    }
}

/// The same for programs.
#[derive(Debug, Serialize)]
pub(crate) struct ProspectJson<'a> {
    recovery: &'static str,
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    healing: Option<HealingJson<'a>>,
    kept_keys: u64,
    suspect_keys: u64,
    lost_bytes: u64,
}

impl<'a> ProspectJson<'a> {
    /// Of a plan.
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let census = match &plan.action {
            Action::Rebuild(rebuild) => Some(&rebuild.census),
            _ => None,
        };
        let healing = match &plan.action {
            Action::Heal(healing) => Some(HealingJson::new(healing)),
            _ => None,
        };
        ProspectJson {
            recovery: plan.needs().as_str(),
            summary: summary(plan, false),
            healing,
            kept_keys: census.map_or(plan.keys, |census| census.kept),
            suspect_keys: census.map_or(0, |census| census.suspect.count),
            lost_bytes: census.map_or(0, |census| census.bytes_lost()),
        }
    }
}
