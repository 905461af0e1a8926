//! Adyen payments: of every item of a batch eight fields are signed, and the signature is
//! one of its fields (docs.adyen.com, "Verify HMAC signatures"). The rest is not signed.

use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::config::Encoding;
use super::super::extract::Reader;
use super::super::mac::MacHash;
use super::super::sign::{Made, Outgoing, SignError};
use super::super::{Accepted, Documents, SchemeError, Setup, Verdict};
use super::mac::Macs;
use super::{Coded, made_header, malformed, no_match, unauthorized};
use crate::model::Millis;

/// What is signed, in that order.
const FIELDS: [&str; 8] = [
    "/pspReference",
    "/originalReference",
    "/merchantAccountCode",
    "/merchantReference",
    "/amount/value",
    "/amount/currency",
    "/eventCode",
    "/success",
];

/// What names an item; a payment has several events.
const NAMES: [&str; 3] = ["/pspReference", "/eventCode", "/success"];

/// Longer ids are hashed.
const MAX_ID: usize = 256;

/// The scheme with its keys.
#[derive(Debug)]
pub(super) struct Adyen(Macs);

impl Adyen {
    pub(super) fn new(setup: &Setup<'_>) -> Result<Self, SchemeError> {
        let decode = |secret: &str| hex::decode(secret).map_err(|_| "is not hexadecimal".to_owned());
        Macs::derived(setup, MacHash::Sha256, decode).map(Self)
    }

    fn check_item(&self, item: &Value) -> Result<(), Verdict> {
        let signature = item.pointer("/additionalData/hmacSignature").and_then(Value::as_str);
        let signature = signature.ok_or_else(|| unauthorized("an item has no hmacSignature"))?;
        let signature = Encoding::Base64.decode(signature.as_bytes());
        let signature = signature.ok_or_else(|| unauthorized("the signature cannot be decoded"))?;
        let message = joined(item, &FIELDS, ":")
            .ok_or_else(|| malformed("a signed field of an item is neither text nor a number"))?;
        if self.0.accept(&[message.as_bytes()], &signature) { Ok(()) } else { Err(no_match()) }
    }
}

impl Coded for Adyen {
    fn check(&self, reader: &Reader<'_>, _now: Millis, _documents: &Documents) -> Result<Accepted, Verdict> {
        let body: Value =
            serde_json::from_slice(reader.request.body).map_err(|_| malformed("the body is not JSON"))?;
        let items = items(&body)?;
        items.iter().try_for_each(|item| self.check_item(item))?;
        // How many there are is not signed.
        let names: BTreeSet<_> = items.iter().map(|item| joined(item, &NAMES, ".")).collect();
        if names.len() < items.len() {
            return Err(malformed("an item is there twice"));
        }
        Ok(Accepted { id: id(&items), event_type: None })
    }

    fn signed_bytes(&self, reader: &Reader<'_>) -> Result<Vec<u8>, String> {
        let body: Value =
            serde_json::from_slice(reader.request.body).map_err(|_| "the body is not JSON".to_owned())?;
        let items = items(&body).map_err(|verdict| verdict.to_string())?;
        let messages: Option<Vec<_>> = items.iter().map(|item| joined(item, &FIELDS, ":")).collect();
        let messages = messages.ok_or_else(|| "a signed field is neither text nor a number".to_owned())?;
        Ok(messages.join("\n").into_bytes())
    }

    fn sign(&self, outgoing: &Outgoing<'_>) -> Result<Made, SignError> {
        let missing = || SignError::Missing("a JSON body with /notificationItems".to_owned());
        let mut body: Value = serde_json::from_slice(outgoing.body).map_err(|_| missing())?;
        let items =
            body.pointer_mut("/notificationItems").and_then(Value::as_array_mut).ok_or_else(missing)?;
        for item in items {
            let item = item.get_mut("NotificationRequestItem").ok_or_else(missing)?;
            let message = joined(item, &FIELDS, ":").ok_or_else(missing)?;
            let signature = Encoding::Base64.encode(&self.0.sign(&[message.as_bytes()]));
            let item = item.as_object_mut().ok_or_else(missing)?;
            let data = item.entry("additionalData").or_insert_with(|| Value::Object(serde_json::Map::new()));
            data.as_object_mut().ok_or_else(missing)?.insert("hmacSignature".to_owned(), signature.into());
        }
        let headers = vec![made_header("content-type", "application/json")];
        Ok(Made { headers, body: Some(body.to_string().into_bytes()), query: None })
    }
}

/// Every item; an empty batch proves nothing.
fn items(body: &Value) -> Result<Vec<&Value>, Verdict> {
    let items =
        body.pointer("/notificationItems").and_then(Value::as_array).filter(|items| !items.is_empty());
    let items = items.ok_or_else(|| unauthorized("there is no item, so nothing is signed"))?;
    let item = |item| Value::get(item, "NotificationRequestItem").filter(|item| item.is_object());
    let items: Option<Vec<_>> = items.iter().map(item).collect();
    items.ok_or_else(|| malformed("an item has no NotificationRequestItem"))
}

/// The values, joined as they are; what is missing is empty. Nothing where a value has no
/// one way to be written.
fn joined(item: &Value, pointers: &[&str], by: &str) -> Option<String> {
    let text = |pointer: &&str| match item.pointer(pointer) {
        None | Some(Value::Null) => Some(String::new()),
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Bool(value)) => Some(value.to_string()),
        Some(Value::Number(number)) if !number.is_f64() => Some(number.to_string()),
        Some(_) => None,
    };
    Some(pointers.iter().map(text).collect::<Option<Vec<_>>>()?.join(by))
}

/// The names of all items, because a batch is one request: two that begin alike are not
/// the same one.
fn id(items: &[&Value]) -> Option<String> {
    let names = items.iter().map(|item| joined(item, &NAMES, "."));
    let id = names.collect::<Option<Vec<_>>>()?.join(".");
    let is_plain = id.len() <= MAX_ID && !id.chars().any(char::is_control);
    Some(if is_plain { id } else { hex::encode(Sha256::digest(&id)) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_name_every_item() {
        let item =
            |reference: &str| json!({ "pspReference": reference, "eventCode": "REFUND", "success": "true" });
        let (one, other) = (item("a"), item("b"));
        assert_eq!(id(&[&one]).as_deref(), Some("a.REFUND.true"));
        assert_eq!(id(&[&one, &other]).as_deref(), Some("a.REFUND.true.b.REFUND.true"));
        let long = item(&"x".repeat(300));
        assert_eq!(id(&[&long]).map(|id| id.len()), Some(64));
    }

    #[test]
    fn values_are_joined_as_they_are() {
        for (item, expected) in [
            (json!({}), Some(":::::::")),
            (
                json!({ "pspReference": "a:b\\", "amount": { "value": 0, "currency": null }, "success": true }),
                Some("a:b\\::::0:::true"),
            ),
            (json!({ "amount": { "value": 1.5 } }), None),
            (json!({ "eventCode": ["x"] }), None),
        ] {
            assert_eq!(joined(&item, &FIELDS, ":").as_deref(), expected, "{item}");
        }
    }
}
