//! The JSON in which the table's stream delivers images.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holdfast_sessions::ports::StoreError;
use serde_json::Value;

use crate::attributes::Item;

/// Reads an image (`{"PK":{"S":"…"},…}`).
pub(crate) fn item_from_json(image: &Value) -> Result<Item, StoreError> {
    let fields = image.as_object().ok_or_else(|| corrupt("an image"))?;
    fields.iter().map(|(name, value)| Ok((name.clone(), attribute(value)?))).collect()
}

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("stream: {what}"))
}

fn attribute(value: &Value) -> Result<AttributeValue, StoreError> {
    let fields = value.as_object().filter(|o| o.len() == 1).ok_or_else(|| corrupt("an attribute"))?;
    let (kind, value) = fields.iter().next().ok_or_else(|| corrupt("an attribute"))?;
    let text = || value.as_str().map(str::to_owned).ok_or_else(|| corrupt(kind));
    let bytes = |value: &Value| {
        value.as_str().and_then(|text| STANDARD.decode(text).ok()).map(Blob::new).ok_or_else(|| corrupt("bytes"))
    };
    let list = || value.as_array().ok_or_else(|| corrupt(kind));
    let texts = || {
        list()?
            .iter()
            .map(|v| v.as_str().map(str::to_owned).ok_or_else(|| corrupt(kind)))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(match kind.as_str() {
        "S" => AttributeValue::S(text()?),
        "N" => AttributeValue::N(text()?),
        "B" => AttributeValue::B(bytes(value)?),
        "BOOL" => AttributeValue::Bool(value.as_bool().ok_or_else(|| corrupt(kind))?),
        "NULL" => AttributeValue::Null(true),
        "M" => AttributeValue::M(item_from_json(value)?),
        "L" => AttributeValue::L(list()?.iter().map(attribute).collect::<Result<_, _>>()?),
        "SS" => AttributeValue::Ss(texts()?),
        "NS" => AttributeValue::Ns(texts()?),
        "BS" => AttributeValue::Bs(list()?.iter().map(bytes).collect::<Result<_, _>>()?),
        other => return Err(corrupt(other)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_of_attribute_is_read() {
        let image = json!({
            "s": {"S": "x"}, "n": {"N": "7"}, "b": {"B": "AQI="}, "t": {"BOOL": true}, "z": {"NULL": true},
            "m": {"M": {"k": {"S": "v"}}}, "l": {"L": [{"N": "1"}]}, "ss": {"SS": ["a"]}, "bs": {"BS": ["AQ=="]}
        });
        let item = item_from_json(&image).unwrap();
        assert_eq!(item.len(), 9);
        assert_eq!(item["b"].as_b().unwrap().as_ref(), [1, 2]);
        assert_eq!(item["m"].as_m().unwrap()["k"].as_s().unwrap(), "v");
    }

    #[test]
    fn what_is_no_attribute_is_refused() {
        for bad in
            [json!({"a": "x"}), json!({"a": {"S": 1}}), json!({"a": {"B": "%"}}), json!({"a": {"Q": "x"}}), json!([])]
        {
            assert!(item_from_json(&bad).is_err(), "{bad}");
        }
    }
}
