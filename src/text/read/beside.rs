//! Lines of what stands beside the keys, as records.

use serde::Deserialize;

use super::part::{Base64, Text};
use super::value::Encver;
use super::{LineReader, Records, Wrong};
use crate::element::ModuleId;
use crate::rdb::length::write_length;
use crate::rdb::opcodes::Kind;

const MODULE_AUX: u8 = 247;
const AUX: u8 = 250;
const FUNCTION_PRE_GA: u8 = 246;
const FUNCTION2: u8 = 245;
const SLOT_INFO: u8 = 244;
const SLOT_IMPORT: u8 = 243;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Aux<'a> {
    #[serde(borrow)]
    aux: Text<'a>,
    #[serde(borrow)]
    value: Text<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Function<'a> {
    #[serde(borrow)]
    function: Text<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FunctionPreGa<'a> {
    #[serde(borrow)]
    function_pre_ga: Text<'a>,
    #[serde(borrow)]
    engine: Text<'a>,
    #[serde(borrow)]
    description: Option<Text<'a>>,
    #[serde(borrow)]
    code: Text<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModuleAux<'a> {
    #[serde(borrow)]
    module_aux: Text<'a>,
    encver: Encver,
    data: Base64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SlotInfo {
    slot_info: u64,
    keys: u64,
    expires: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SlotImport<'a> {
    #[serde(borrow)]
    slot_import: Text<'a>,
    slots: Vec<(u64, u64)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opaque {
    opaque: u8,
    data: Base64,
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Wrong> {
    serde_json::from_str(text).map_err(|err| Wrong::of(&err, 0))
}

impl LineReader {
    /// Appends the record of a line of this kind.
    pub(super) fn beside(
        &mut self,
        kind: &str,
        text: &str,
        out: &mut Records,
    ) -> Result<(), Wrong> {
        let start = out.bytes.len();
        let bytes = &mut out.bytes;
        let (opcode, code) = match kind {
            "aux" => (Kind::Aux, AUX),
            "function" => (Kind::Function, FUNCTION2),
            "function_pre_ga" => (Kind::FunctionPreGa, FUNCTION_PRE_GA),
            "module_aux" => (Kind::ModuleAux, MODULE_AUX),
            "slot_info" => (Kind::SlotInfo, SLOT_INFO),
            "slot_import" => (Kind::SlotImport, SLOT_IMPORT),
            _ => (Kind::Opaque, parse::<Opaque>(text)?.opaque),
        };
        bytes.push(code);
        match kind {
            "aux" => {
                let Aux { aux, value } = parse(text)?;
                self.strings.write(&aux.0, bytes);
                self.strings.write(&value.0, bytes);
            }
            "function" => {
                let Function { function } = parse(text)?;
                self.strings.write(&function.0, bytes);
            }
            "function_pre_ga" => {
                let FunctionPreGa { function_pre_ga, engine, description, code } = parse(text)?;
                self.strings.write(&function_pre_ga.0, bytes);
                self.strings.write(&engine.0, bytes);
                write_length(u64::from(description.is_some()), bytes);
                description.iter().for_each(|text| self.strings.write(&text.0, bytes));
                self.strings.write(&code.0, bytes);
            }
            "module_aux" => {
                let ModuleAux { module_aux, encver, data } = parse(text)?;
                let name = <[u8; 9]>::try_from(&module_aux.0[..]);
                let wrong = |_| Wrong::new("expected the nine characters of a module's type");
                write_length(ModuleId::new(name.map_err(wrong)?, encver.0).0, bytes);
                bytes.extend_from_slice(&data.0);
            }
            "slot_info" => {
                let SlotInfo { slot_info, keys, expires } = parse(text)?;
                [slot_info, keys, expires]
                    .into_iter()
                    .for_each(|number| write_length(number, bytes));
            }
            "slot_import" => {
                let SlotImport { slot_import, slots } = parse(text)?;
                self.strings.write(&slot_import.0, bytes);
                write_length(slots.len() as u64, bytes);
                for (first, last) in slots {
                    write_length(first, bytes);
                    write_length(last, bytes);
                }
            }
            _ => bytes.extend_from_slice(&parse::<Opaque>(text)?.data.0),
        }
        self.framed(opcode, code, out.bytes.get(start + 1..).unwrap_or_default())?;
        out.ends.push(out.bytes.len());
        Ok(())
    }
}
