//! The tools, resources and prompts that the official conformance suite requires of a server under test.
//!
//! They are mounted behind the router of the product, so that the suite tests its guards, limits and transport. The
//! descriptions of the suite define the expected answers.

#![expect(
    deprecated,
    reason = "the suite asks for sampling and logging, which the newest revision deprecates"
)]

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, CompleteRequestParams,
        CompleteResult, CompletionInfo, ContentBlock, CreateMessageRequestParams, ElicitRequestParams,
        GetPromptRequestParams, GetPromptResponse, GetPromptResult, InputRequiredResult, ListPromptsResult,
        ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, LoggingMessageNotificationParam,
        PaginatedRequestParams, ProgressNotificationParam, ReadResourceRequestParams, ReadResourceResponse,
        ReadResourceResult, Resource, ResourceTemplate, ServerCapabilities, ServerConfig,
        SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
    },
    service::RequestContext,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// One red pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==";
/// An audio file without samples.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

/// Tools with a constant result.
fn constant_tools() -> [(&'static str, Value); 8] {
    let text = |text: &str| json!({"type": "text", "text": text});
    let image = json!({"type": "image", "data": PNG, "mimeType": "image/png"});
    let resource = |uri: &str, mime: &str, text: &str| {
        json!({
            "type": "resource",
            "resource": {"uri": uri, "mimeType": mime, "text": text}
        })
    };
    [
        ("test_simple_text", json!([text("This is a simple text response for testing.")])),
        ("test_image_content", json!([image])),
        ("test_audio_content", json!([{"type": "audio", "data": WAV, "mimeType": "audio/wav"}])),
        (
            "test_embedded_resource",
            json!([resource(
                "test://embedded-resource",
                "text/plain",
                "This is an embedded resource content."
            )]),
        ),
        (
            "test_multiple_content_types",
            json!([
                text("Multiple content types test:"),
                image,
                resource(
                    "test://mixed-content-resource",
                    "application/json",
                    "{\"test\":\"data\",\"value\":123}"
                )
            ]),
        ),
        ("test_streaming_elicitation", json!([text("Nothing was asked on the stream.")])),
        ("test_logging_tool", json!([text("Nothing was logged.")])),
        ("json_schema_2020_12_tool", json!([text("The schema is what counts.")])),
    ]
}

/// Tools that send a request to the client, with the parameters of the request.
fn client_request_tools() -> [(&'static str, Value); 3] {
    let object = |properties: Value| {
        json!({
            "message": "Please fill this in",
            "requestedSchema": {"type": "object", "properties": properties}
        })
    };
    let titled = |value: &str, title: &str| json!({"const": value, "title": title});
    [
        (
            "test_elicitation",
            json!({"message": "?", "requestedSchema": {
                "type": "object",
                "required": ["username", "email"],
                "properties": {
                    "username": {"type": "string", "description": "User's response"},
                    "email": {"type": "string", "description": "User's email address"}
                }
            }}),
        ),
        (
            "test_elicitation_sep1034_defaults",
            object(json!({
                "name": {"type": "string", "default": "John Doe"},
                "age": {"type": "integer", "default": 30},
                "score": {"type": "number", "default": 95.5},
                "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
                "verified": {"type": "boolean", "default": true},
            })),
        ),
        (
            "test_elicitation_sep1330_enums",
            object(json!({
                "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
                "titledSingle": {"type": "string", "oneOf": [
                    titled("value1", "First Option"),
                    titled("value2", "Second Option"),
                    titled("value3", "Third Option")
                ]},
                "legacyEnum": {
                    "type": "string",
                    "enum": ["opt1", "opt2", "opt3"],
                    "enumNames": ["Option One", "Option Two", "Option Three"]
                },
                "untitledMulti": {
                    "type": "array",
                    "items": {"type": "string", "enum": ["option1", "option2", "option3"]}
                },
                "titledMulti": {"type": "array", "items": {"anyOf": [
                    titled("value1", "First Choice"),
                    titled("value2", "Second Choice"),
                    titled("value3", "Third Choice")
                ]}},
            })),
        ),
    ]
}

/// Tools that require input before they complete: for each round, the input requests and whether the result has a
/// request state.
fn rounds(name: &str) -> Option<Vec<(Value, bool)>> {
    let elicit = |message: &str, field: &str, kind: &str| {
        json!({"method": "elicitation/create", "params": {"message": message, "requestedSchema": {
            "type": "object", "properties": {field: {"type": kind}}, "required": [field]}}})
    };
    let sample = |text: &str, most: u32| {
        json!({"method": "sampling/createMessage", "params": {"maxTokens": most, "messages": [
            {"role": "user", "content": {"type": "text", "text": text}}]}})
    };
    let roots = json!({"method": "roots/list", "params": {}});
    let your_name = elicit("What is your name?", "name", "string");
    Some(match name {
        "test_input_required_result_elicitation" => vec![(json!({"user_name": your_name}), false)],
        "test_input_required_result_sampling" => {
            vec![(json!({"capital_question": sample("What is the capital of France?", 100)}), false)]
        }
        "test_input_required_result_list_roots" => vec![(json!({"client_roots": roots}), false)],
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
            vec![(json!({"confirm": elicit("Please confirm", "ok", "boolean")}), true)]
        }
        "test_input_required_result_multiple_inputs" => vec![(
            json!({"user_name": your_name, "greeting": sample("Generate a greeting", 50), "client_roots": roots}),
            true,
        )],
        "test_input_required_result_multi_round" => vec![
            (json!({"step1": elicit("Step 1: What is your name?", "name", "string")}), true),
            (json!({"step2": elicit("Step 2: What is your favorite color?", "color", "string")}), true),
        ],
        "test_input_required_result_capabilities" => {
            vec![(json!({"question": sample("What may be asked?", 50)}), false)]
        }
        "test_input_required_result_prompt" => vec![(
            json!({"user_context": elicit("What context should the prompt use?", "context", "string")}),
            false,
        )],
        _ => return None,
    })
}

const OTHER_TOOLS: [&str; 5] = [
    "test_tool_with_logging",
    "test_error_handling",
    "test_tool_with_progress",
    "test_sampling",
    "test_missing_capability",
];

const INPUT_TOOLS: [&str; 8] = [
    "test_input_required_result_elicitation",
    "test_input_required_result_sampling",
    "test_input_required_result_list_roots",
    "test_input_required_result_request_state",
    "test_input_required_result_tampered_state",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_multi_round",
    "test_input_required_result_capabilities",
];

#[derive(Clone)]
pub(crate) struct Fixtures;

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// A complete result with this content.
fn complete<T: DeserializeOwned>(mut result: Value) -> Result<T, ErrorData> {
    result["resultType"] = json!("complete");
    typed(result)
}

fn text_result(text: impl Into<String>) -> CallToolResponse {
    CallToolResult::success(vec![ContentBlock::text(text)]).into()
}

fn failed(error: impl std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

/// A request state that only this server can create: the round with a keyed hash.
fn signed_state(name: &str, round: usize) -> String {
    use std::hash::{BuildHasher, RandomState};
    static KEY: std::sync::OnceLock<RandomState> = std::sync::OnceLock::new();
    format!("{round}.{:016x}", KEY.get_or_init(RandomState::new).hash_one((name, round)))
}

/// The input requests of this round; `None` after the last round.
fn next_round(
    name: &str,
    answers: Option<&std::collections::BTreeMap<String, Value>>,
    state: Option<&str>,
) -> Result<Option<InputRequiredResult>, ErrorData> {
    let Some(rounds) = rounds(name) else { return Ok(None) };
    let done = match state {
        None => 0,
        Some(state) => {
            (1..=rounds.len())
                .find(|round| signed_state(name, *round) == state)
                .ok_or_else(|| ErrorData::invalid_params("the state was not made here", None))?
                - 1
        }
    };
    let answered = |round: usize| {
        let (questions, _) = &rounds[round];
        questions.as_object().is_some_and(|questions| {
            questions
                .keys()
                .all(|key| answers.is_some_and(|answers| answers.get(key).is_some_and(Value::is_object)))
        })
    };
    let round = if answered(done) { done + 1 } else { done };
    let Some((questions, with_state)) = rounds.get(round) else { return Ok(None) };
    let mut result = json!({"resultType": "input_required", "inputRequests": questions});
    if *with_state {
        result["requestState"] = json!(signed_state(name, round + 1));
    }
    typed(result).map(Some)
}

impl ServerHandler for Fixtures {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_prompts()
            .enable_completions()
            .build();
        capabilities.logging = Some(Default::default());
        ServerConfig::new(capabilities)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let fixed = constant_tools();
        let asking = client_request_tools();
        let names = fixed
            .iter()
            .map(|row| row.0)
            .chain(asking.iter().map(|row| row.0))
            .chain(OTHER_TOOLS)
            .chain(INPUT_TOOLS);
        let tool = |name: &str| {
            typed::<Tool>(
                json!({"name": name, "description": format!("Fixture {name}"), "inputSchema": schema(name)}),
            )
        };
        Ok(ListToolsResult::with_all_items(names.map(tool).collect::<Result<_, _>>()?))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let argument =
            |name: &str| call.arguments.as_ref().and_then(|given| given.get(name)).and_then(Value::as_str);
        if let Some((_, content)) = constant_tools().into_iter().find(|row| row.0 == call.name) {
            return Ok(complete::<CallToolResult>(json!({"content": content}))?.into());
        }
        if let Some((name, mut question)) = client_request_tools().into_iter().find(|row| row.0 == call.name)
        {
            if let Some(message) = argument("message") {
                question["message"] = json!(message);
            }
            let answer = context
                .peer
                .create_elicitation(typed::<ElicitRequestParams>(question)?)
                .await
                .map_err(failed)?;
            let answer = json!(answer);
            let words = if name == "test_elicitation" { "User response" } else { "Elicitation completed" };
            return Ok(text_result(format!(
                "{words}: action={}, content={}",
                answer["action"].as_str().unwrap_or_default(),
                answer["content"]
            )));
        }
        if rounds(&call.name).is_some() {
            let next = next_round(&call.name, call.input_responses.as_ref(), call.request_state.as_deref())?;
            return Ok(match next {
                Some(questions) => CallToolResponse::InputRequired(questions),
                None => text_result(format!("state-ok, answers: {}", json!(call.input_responses))),
            });
        }
        match &*call.name {
            "test_error_handling" => {
                let text = "This tool intentionally returns an error for testing";
                Ok(CallToolResult::error(vec![ContentBlock::text(text)]).into())
            }
            "test_missing_capability" => {
                let required: ClientCapabilities = typed(json!({"sampling": {}}))?;
                Err(ErrorData::missing_required_client_capability(required))
            }
            "test_tool_with_logging" => {
                for text in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                    let line: LoggingMessageNotificationParam =
                        typed(json!({"level": "info", "data": text}))?;
                    context.peer.notify_logging_message(line).await.map_err(failed)?;
                }
                Ok(text_result("Logged."))
            }
            "test_tool_with_progress" => {
                if let Some(token) = context.meta.get_progress_token() {
                    for done in [0.0, 50.0, 100.0] {
                        let mut progress = ProgressNotificationParam::new(token.clone(), done);
                        progress.total = Some(100.0);
                        context.peer.notify_progress(progress).await.map_err(failed)?;
                    }
                }
                Ok(text_result("Done."))
            }
            "test_sampling" => {
                let prompt = argument("prompt").unwrap_or_default();
                let question: CreateMessageRequestParams = typed(json!({
                    "maxTokens": 100,
                    "messages": [{"role": "user", "content": {"type": "text", "text": prompt}}]
                }))?;
                let answer = json!(context.peer.create_message(question).await.map_err(failed)?);
                Ok(text_result(format!("LLM response: {}", answer["content"])))
            }
            _ => Err(ErrorData::invalid_params("no such tool", None)),
        }
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let row = |uri: &str| Resource::new(uri, uri).with_description("A fixture");
        let rows = ["test://static-text", "test://static-binary", "test://watched-resource"];
        Ok(ListResourcesResult::with_all_items(rows.into_iter().map(row).collect()))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let row =
            ResourceTemplate::new("test://template/{id}/data", "template").with_description("A fixture");
        Ok(ListResourceTemplatesResult::with_all_items(vec![row]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri.as_str();
        let template = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
        let content = match (uri, template) {
            ("test://static-text", _) => {
                json!({"mimeType": "text/plain", "text": "This is the content of the static text resource."})
            }
            ("test://watched-resource", _) => json!({"mimeType": "text/plain", "text": "Watched."}),
            ("test://static-binary", _) => json!({"mimeType": "image/png", "blob": PNG}),
            (_, Some(id)) => {
                let text = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
                json!({"mimeType": "application/json", "text": text.to_string()})
            }
            _ => return Err(ErrorData::resource_not_found("Resource not found", Some(json!({"uri": uri})))),
        };
        let mut content = content;
        content["uri"] = json!(uri);
        Ok(complete::<ReadResourceResult>(json!({"contents": [content]}))?.into())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn subscribe(
        &self,
        _: SubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn set_level(
        &self,
        _: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let argument = |name: &str| json!({"name": name, "description": "A fixture", "required": true});
        let prompt = |name: &str, arguments: Value| {
            json!({
                "name": name, "description": "A fixture", "arguments": arguments
            })
        };
        complete(json!({"prompts": [
            prompt("test_simple_prompt", json!([])),
            prompt("test_prompt_with_arguments", json!([argument("arg1"), argument("arg2")])),
            prompt("test_prompt_with_embedded_resource", json!([argument("resourceUri")])),
            prompt("test_prompt_with_image", json!([])),
            prompt("test_input_required_result_prompt", json!([])),
        ]}))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let given = json!(request.arguments);
        let word = |name: &str| given[name].as_str().unwrap_or_default().to_owned();
        let text = |text: &str| json!({"role": "user", "content": {"type": "text", "text": text}});
        let messages = match request.name.as_str() {
            "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
            "test_prompt_with_arguments" => {
                vec![text(&format!(
                    "Prompt with arguments: arg1='{}', arg2='{}'",
                    word("arg1"),
                    word("arg2")
                ))]
            }
            "test_prompt_with_embedded_resource" => vec![
                json!({"role": "user", "content": {"type": "resource", "resource": {
                    "uri": word("resourceUri"), "mimeType": "text/plain",
                    "text": "Embedded resource content for testing."}}}),
                text("Please process the embedded resource above."),
            ],
            "test_prompt_with_image" => vec![
                json!({"role": "user", "content": {"type": "image", "data": PNG, "mimeType": "image/png"}}),
                text("Please analyze the image above."),
            ],
            name => {
                match next_round(name, request.input_responses.as_ref(), request.request_state.as_deref())? {
                    Some(questions) => return Ok(GetPromptResponse::InputRequired(questions)),
                    None if rounds(name).is_some() => vec![text("The prompt, with its context.")],
                    None => return Err(ErrorData::invalid_params("no such prompt", None)),
                }
            }
        };
        Ok(complete::<GetPromptResult>(json!({"messages": messages}))?.into())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let values = ["paris", "park", "party"].map(str::to_owned).to_vec();
        Ok(CompleteResult::new(CompletionInfo::with_all_values(values).map_err(failed)?))
    }
}

/// The input schema of a tool; that of `json_schema_2020_12_tool` covers the keywords of JSON Schema.
fn schema(name: &str) -> Value {
    match name {
        "test_sampling" => {
            json!({"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"]})
        }
        "test_elicitation" => {
            json!({"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]})
        }
        "json_schema_2020_12_tool" => json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": {
                "street": {"type": "string"}, "city": {"type": "string"}}}},
            "properties": {
                "name": {"type": "string"},
                "address": {"$ref": "#/$defs/address"},
                "contactMethod": {"type": "string", "enum": ["phone", "email"]},
                "phone": {"type": "string"},
                "email": {"type": "string"},
            },
            "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
            "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
            "then": {"required": ["phone"]},
            "else": {"required": ["email"]},
            "additionalProperties": false,
        }),
        _ => json!({"type": "object", "properties": {}}),
    }
}
