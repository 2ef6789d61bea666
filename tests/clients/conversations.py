"""Conversations of the official clients with a daemon whose model is the tests' scripted provider.

    conversations.py SCENARIO[,SCENARIO]… ADDRESS TOKEN

ADDRESS is a Unix socket's path, or host:port. A conversation that does not go as it must ends with a traceback and status 1.
`tests/suite/official_clients.rs` runs these and says how the provider answers.
"""

import json
import sys

import anthropic
import httpx2
import openai
from pydantic import BaseModel

SCENARIOS, ADDRESS, TOKEN = sys.argv[1:]
IS_SOCKET = ADDRESS.startswith("/")
ORIGIN = "http://factory" if IS_SOCKET else f"http://{ADDRESS}"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def transport():
    return httpx2.Client(transport=httpx2.HTTPTransport(uds=ADDRESS)) if IS_SOCKET else None


def of_openai(**more):
    return openai.OpenAI(api_key=TOKEN, base_url=f"{ORIGIN}/v1", http_client=transport(), **more)


def of_anthropic(**more):
    return anthropic.Anthropic(api_key=TOKEN, base_url=ORIGIN, http_client=transport(), **more)


def fails(error, status, code, ask):
    """Asks for what must fail so; returns the error."""
    try:
        ask()
    except error as failed:
        assert type(failed) is error, type(failed)
        assert failed.status_code == status, failed
        fault = failed.body["error"] if "error" in failed.body else failed.body
        assert fault["code"] == code, failed.body
        return failed
    raise AssertionError(f"{error} was expected")


def plain():
    answer = of_openai().chat.completions.create(model="worker", messages=[{"role": "user", "content": "hello"}])
    choice = answer.choices[0]
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "echo: hello", "stop"), answer
    assert (answer.object, answer.model) == ("chat.completion", "worker"), answer
    assert answer.id.startswith("chatcmpl-task-") and answer.id.endswith(answer._request_id), answer
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (100, 20, 120), answer
    assert answer.usage.prompt_tokens_details.cached_tokens == 40, answer
    raw = of_openai().chat.completions.with_raw_response.create(model="worker", messages=[{"role": "user", "content": "hello"}])
    assert raw.headers["factory-task-id"].startswith("task-"), raw.headers
    assert raw.headers["factory-cost-usd"] == "0.00", raw.headers
    answer = of_anthropic().messages.create(model="worker", max_tokens=64, messages=[{"role": "user", "content": "hello"}])
    assert [(block.type, block.text) for block in answer.content] == [("text", "echo: hello")], answer
    assert (answer.type, answer.role, answer.stop_reason, answer.stop_sequence) == ("message", "assistant", "end_turn", None)
    assert answer.id.startswith("msg_task-") and answer.id.endswith(answer._request_id), answer
    usage = answer.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (60, 40, 20), answer


def several_turns():
    said = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": [{"type": "text", "text": "Two?"}]},
    ]
    options = {"temperature": 0.5, "top_p": 0.9, "stop": ["END"], "seed": 7, "max_tokens": 9, "user": "ann", "n": 1}
    answer = of_openai().chat.completions.create(model="worker", messages=said, **options)
    assert answer.choices[0].message.content == "echo: Two?", answer
    answer = of_anthropic().messages.create(
        model="worker", max_tokens=9, system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=said[1:], stop_sequences=["END"], metadata={"user_id": "ann"},
        # Parameters of earlier versions of this client, which the API still has.
        extra_body={"temperature": 0.5, "top_p": 0.9},
    )
    assert answer.content[0].text == "echo: Two?", answer


def streamed():
    words = "one two three four five six seven"
    ask = [{"role": "user", "content": f"stream {words}"}]
    chunks = list(of_openai().chat.completions.create(
        model="worker", messages=ask, stream=True, stream_options={"include_usage": True}))
    deltas = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert "".join(deltas) == words, deltas
    assert len(deltas) > 1, deltas
    assert chunks[0].choices[0].delta.role == "assistant", chunks[0]
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop", chunks
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 20, chunks[-1]
    assert len({chunk.id for chunk in chunks}) == 1 and chunks[0].id.startswith("chatcmpl-task-"), chunks[0]
    with of_openai().chat.completions.stream(model="worker", messages=ask) as stream:
        assert stream.get_final_completion().choices[0].message.content == words
    with of_anthropic().messages.stream(model="worker", max_tokens=64, messages=ask) as stream:
        heard = list(stream.text_stream)
        answer = stream.get_final_message()
    assert "".join(heard) == words and len(heard) > 1, heard
    assert (answer.content[0].text, answer.stop_reason, answer.usage.output_tokens) == (words, "end_turn", 20), answer
    events = [event.type for event in of_anthropic().messages.create(model="worker", max_tokens=64, messages=ask, stream=True)]
    assert events[:2] == ["message_start", "content_block_start"], events
    assert events[-3:] == ["content_block_stop", "message_delta", "message_stop"], events


def tools():
    client = of_openai()
    said = [{"role": "user", "content": "weather in Lyon?"}]
    known = [{"type": "function", "function": {"name": "get_weather", "description": "It knows.", "parameters": WEATHER}}]
    answer = client.chat.completions.create(model="worker", messages=said, tools=known)
    choice = answer.choices[0]
    call = choice.message.tool_calls[0]
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None), answer
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Lyon"}), call
    said += [choice.message, {"role": "tool", "tool_call_id": call.id, "content": "17 degrees"}]
    answer = client.chat.completions.create(model="worker", messages=said, tools=known)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("It is 17 degrees", "stop"), answer
    with client.chat.completions.stream(model="worker", messages=said[:1], tools=known) as stream:
        streamed_call = stream.get_final_completion().choices[0].message.tool_calls[0]
    assert (streamed_call.id, json.loads(streamed_call.function.arguments)) == (call.id, {"city": "Lyon"}), streamed_call

    client = of_anthropic()
    said = [{"role": "user", "content": "weather in Lyon?"}]
    known = [{"name": "get_weather", "description": "It knows.", "input_schema": WEATHER}]
    answer = client.messages.create(model="worker", max_tokens=64, messages=said, tools=known, tool_choice={"type": "any"})
    call = answer.content[-1]
    assert (answer.stop_reason, call.type, call.name, call.input) == ("tool_use", "tool_use", "get_weather", {"city": "Lyon"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "17 degrees"}]}
    said += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    answer = client.messages.create(model="worker", max_tokens=64, messages=said, tools=known)
    assert (answer.content[0].text, answer.stop_reason) == ("It is 17 degrees", "end_turn"), answer
    with client.messages.stream(model="worker", max_tokens=64, messages=said[:1], tools=known) as stream:
        answer = stream.get_final_message()
    assert (answer.stop_reason, answer.content[-1].id, answer.content[-1].input) == ("tool_use", call.id, {"city": "Lyon"})


class Person(BaseModel):
    name: str
    age: int


def structured():
    said = [{"role": "user", "content": "Who?"}]
    answer = of_openai().chat.completions.parse(model="worker", messages=said, response_format=Person)
    assert answer.choices[0].message.parsed == Person(name="Ada", age=36), answer
    schema = Person.model_json_schema() | {"additionalProperties": False}
    answer = of_anthropic().messages.create(
        model="worker", max_tokens=64, messages=said, output_config={"format": {"type": "json_schema", "schema": schema}})
    assert Person.model_validate_json(answer.content[0].text) == Person(name="Ada", age=36), answer


def pictures():
    url = f"data:image/png;base64,{PIXEL}"
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url, "detail": "low"}}]
    answer = of_openai().chat.completions.create(model="worker", messages=[{"role": "user", "content": parts}])
    assert answer.choices[0].message.content == f"a picture: {url}", answer
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image", "source": source}]
    answer = of_anthropic().messages.create(model="worker", max_tokens=64, messages=[{"role": "user", "content": parts}])
    assert answer.content[0].text == f"a picture: {url}", answer


def refusals():
    said = [{"role": "user", "content": "hello"}]
    one, other = of_openai(), of_anthropic()

    def chat(**more):
        return one.chat.completions.create(**{"model": "worker", "messages": said} | more)

    def message(**more):
        return other.messages.create(**{"model": "worker", "max_tokens": 64, "messages": said} | more)

    failed = fails(openai.NotFoundError, 404, "template_not_found", lambda: chat(model="nobody"))
    assert failed.type == "invalid_request_error", failed.body
    fails(anthropic.NotFoundError, 404, "template_not_found", lambda: message(model="nobody"))
    fails(openai.NotFoundError, 404, "template_not_found", lambda: chat(model="gpt-4o: the best"))
    failed = fails(openai.BadRequestError, 400, "parameter_unsupported", lambda: chat(n=2))
    assert (failed.param, failed.type) == ("n", "invalid_request_error"), failed.body
    failed = fails(openai.BadRequestError, 400, "parameter_unsupported", lambda: chat(logprobs=True))
    assert failed.param == "logprobs", failed.body
    failed = fails(openai.BadRequestError, 400, "malformed_request", lambda: chat(temperature=3))
    assert failed.param == "temperature", failed.body
    failed = fails(anthropic.BadRequestError, 400, "parameter_unsupported",
                   lambda: message(thinking={"type": "enabled", "budget_tokens": 1024}))
    assert "thinking" in failed.message, failed.body
    failed = fails(openai.APIStatusError, 402, "budget_exceeded", lambda: chat(model="pauper"))
    assert failed.type == "insufficient_quota", failed.body
    failed = fails(anthropic.PaymentRequiredError, 402, "budget_exceeded", lambda: message(model="pauper"))
    assert failed.body["error"]["type"] == "billing_error", failed.body
    # The provider fails for good: the daemon has done what can be done, and its clients do not do all of it again.
    fails(openai.InternalServerError, 502, "provider_rejected", lambda: chat(messages=[{"role": "user", "content": "reject"}]))
    fails(anthropic.InternalServerError, 502, "provider_rejected", lambda: message(messages=[{"role": "user", "content": "reject"}]))
    stream = lambda ask: lambda: list(ask(stream=True, messages=[{"role": "user", "content": "reject"}]))
    fails(openai.InternalServerError, 502, "provider_rejected", stream(chat))
    fails(anthropic.InternalServerError, 502, "provider_rejected", stream(message))


def models():
    listed = of_openai().models.list()
    assert [model.id for model in listed] == ["pauper", "worker"], listed
    assert of_openai().models.retrieve("worker").object == "model"
    listed = of_anthropic().models.list()
    assert [model.id for model in listed] == ["pauper", "worker"], listed
    assert [model.id for model in of_anthropic().models.list(limit=1)] == ["pauper", "worker"]
    model = of_anthropic().models.retrieve("worker")
    assert (model.type, model.display_name, model.created_at.year >= 2024) == ("model", "worker", True), model
    fails(openai.NotFoundError, 404, "template_not_found", lambda: of_openai().models.retrieve("nobody"))
    fails(anthropic.NotFoundError, 404, "template_not_found", lambda: of_anthropic().models.retrieve("nobody"))
    counted = of_anthropic().messages.count_tokens(model="worker", messages=[{"role": "user", "content": "hello world"}])
    assert 2 < counted.input_tokens < 30, counted


def strangers():
    said = [{"role": "user", "content": "hello"}]
    fails(openai.AuthenticationError, 401, "token_unknown",
          lambda: of_openai().chat.completions.create(model="worker", messages=said))
    fails(anthropic.AuthenticationError, 401, "token_unknown",
          lambda: of_anthropic().messages.create(model="worker", max_tokens=64, messages=said))


def hurried():
    """The first request passes and the next is one too many for a while; the clients try again when they are told to."""
    said = [{"role": "user", "content": "hello"}]
    client = of_openai(max_retries=0)
    failed = None
    for _ in range(50):
        try:
            client.chat.completions.create(model="worker", messages=said)
        except openai.RateLimitError as error:
            failed = error
            break
    assert failed is not None and failed.type == "rate_limit_error", failed
    assert int(failed.response.headers["retry-after"]) >= 1, failed.response.headers
    try:
        of_anthropic(max_retries=0).messages.create(model="worker", max_tokens=64, messages=said)
    except anthropic.RateLimitError as error:
        assert error.body["error"]["type"] == "rate_limit_error", error.body
    else:
        raise AssertionError("it was let in")


KNOWN = (plain, several_turns, streamed, tools, structured, pictures, refusals, models, strangers, hurried)
for name in SCENARIOS.split(","):
    {known.__name__: known for known in KNOWN}[name]()
