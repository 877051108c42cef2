//! What www.inaturalist.org does for sign-in: OAuth and `/users/api_token`. Every password but `wrong` is right.

use serde_json::{Value, json};

use super::{
    Origin,
    call::Call,
    identity::{Identity, access_token, jwt},
};
use crate::{Answer, clock::unix_seconds};

/// Tokens of the API last a day.
const LIFETIME: i64 = 86_400;

impl Origin {
    /// For an OAuth token, or a JWT that is still valid. Without either, browsers go to the login page and programs get 401.
    pub(super) fn api_token(call: &Call<'_>) -> Answer {
        match call.identity {
            Identity::User(user) | Identity::OAuth(user) => {
                Answer::json(&json!({ "api_token": jwt(user, LIFETIME, call.now) }))
                    .header("Cache-Control", "max-age=0, private, must-revalidate")
            }
            Identity::Anonymous | Identity::Unusable => {
                if call.seen.header("accept").is_some_and(|accept| accept.contains("json")) {
                    return refuse(401, &json!({ "error": "You need to sign in or sign up before continuing." }));
                }
                Answer::html(302, "<html><body>You are being <a href=\"/login\">redirected</a>.</body></html>")
                    .header("Location", "/login")
            }
        }
    }

    /// The consent page, already agreed to.
    pub(super) fn authorize(call: &Call<'_>) -> Answer {
        let Some(back) = call.get("redirect_uri").filter(|back| !back.contains(['\r', '\n'])) else {
            return refuse(
                400,
                &json!({ "error": "invalid_request", "error_description": "Missing required parameter: redirect_uri." }),
            );
        };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("code", "sandbox-code");
        if let Some(state) = call.get("state") {
            query.append_pair("state", state);
        }
        let separator = if back.contains('?') { '&' } else { '?' };
        Answer::new(302).header("Location", format!("{back}{separator}{}", query.finish()))
    }

    pub(super) fn token(call: &Call<'_>) -> Answer {
        let given = params(call);
        let get = |name: &str| given.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        if get("client_id").is_none_or(|client| client.is_empty() || client == "wrong") {
            let text = "Client authentication failed due to unknown client, no client authentication included, or unsupported \
                authentication method.";
            return refuse(401, &json!({ "error": "invalid_client", "error_description": text }));
        }
        let granted = match get("grant_type") {
            Some("password") => {
                get("username").is_some() && get("password").is_some_and(|password| password != "wrong")
            }
            Some("authorization_code") => get("code") == Some("sandbox-code"),
            Some("client_credentials") => true,
            _ => {
                return refuse(
                    400,
                    &json!({ "error": "unsupported_grant_type", "error_description": "The authorization grant type is not supported by the authorization server." }),
                );
            }
        };
        if !granted {
            let text = "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the \
                authorization request, or was issued to another client.";
            return refuse(400, &json!({ "error": "invalid_grant", "error_description": text }));
        }
        let token = json!({ "access_token": access_token(1), "token_type": "Bearer", "scope": "write login",
            "created_at": unix_seconds(call.now) });
        Answer::json(&token).header("Cache-Control", "no-store").header("Pragma", "no-cache")
    }
}

fn refuse(status: u16, body: &Value) -> Answer {
    let mut answer = Answer::json(body);
    answer.status = status;
    answer
}

/// A form, JSON, or the query.
fn params(call: &Call<'_>) -> Vec<(String, String)> {
    let mut params = call.params.clone();
    if let Ok(Value::Object(body)) = serde_json::from_slice(&call.seen.body) {
        params.extend(body.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))));
    } else {
        params.extend(url::form_urlencoded::parse(&call.seen.body).into_owned());
    }
    params
}
