%% Plays supervision scenarios on Erlang/OTP's own supervisor and writes down what happened.
%%
%% The order of what happens is the order of strictly monotonic numbers: the stage gives one to each start, and the trace of a
%% process one to its exit, at the moment when that happens and before anybody can be told of it.
-module(factory_otp).

-export([main/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
-export([worker/2, log/2]).

-define(DEADLINE, 20000).
-define(PERIOD, 3600).

%%% Scenarios

main([Scenarios, Traces]) ->
    {ok, Terms} = file:consult(Scenarios),
    silence(),
    ok = logger:add_handler(factory_otp, ?MODULE, #{}),
    process_flag(trap_exit, true),
    register(stage, spawn_link(fun() -> stage(#{}) end)),
    ok = file:write_file(Traces, [[play(Scenario), $\n] || Scenario <- Terms]),
    halt(0).

silence() ->
    ok = logger:set_primary_config(level, error),
    ok = logger:remove_handler(default).

play({scenario, Name, Failing, Sup, Steps}) ->
    ask(clear),
    [ask({fail, Id, Times}) || {Id, Times} <- Failing],
    {Root, Started} = case supervisor:start_link(?MODULE, {supervisor, Sup}) of
        {ok, Pid} -> {Pid, "ok"};
        {error, {bad_start_spec, _}} -> {gone, "bad_spec"};
        {error, {start_spec, _}} -> {gone, "bad_spec"};
        {error, _} -> {gone, "failed"}
    end,
    First = report(["init ", Started], Root),
    {_, Lines} = lists:foldl(fun step/2, First, Steps ++ [shutdown]),
    flush_exits(),
    [["= ", Name, $\n], lists:reverse(Lines)].

flush_exits() ->
    receive {'EXIT', _, _} -> flush_exits() after 0 -> ok end.

step(_Step, {gone, Lines}) ->
    {gone, Lines};
step(Step, {Root, Lines}) ->
    {Now, More} = report(do(Step, Root), Root),
    {Now, More ++ Lines}.

%% What a step did, once the tree is quiet: its answer, what happened, and who is there; the latest line comes first.
report(Answer, Root) ->
    Calm = calm(Root, erlang:monotonic_time(millisecond) + ?DEADLINE),
    Happened = [["  ", Line, $\n] || Line <- ask(read)],
    Begun = [[Answer, $\n]],
    case Calm of
        {quiet, Shown} -> {Root, [["  ", Shown, $\n] | lists:reverse(Happened)] ++ Begun};
        {ended, How} -> {gone, [["  ended ", How, $\n] | lists:reverse(Happened)] ++ Begun}
    end.

do({fail, Id, Times}, _Root) ->
    ask({fail, Id, Times}),
    io_lib:format("fail ~s ~b", [Id, Times]);
do({kill, Id}, _Root) ->
    order(kill, Id, fun(Pid) -> exit(Pid, kill) end);
do({Order, Id}, _Root) when Order =:= exit; Order =:= crash; Order =:= panic ->
    order(Order, Id, fun(Pid) -> gen_server:cast(Pid, Order) end);
do({start, Sup, Child}, _Root) ->
    called("start ~s/~s", Sup, element(2, Child), fun(Pid) -> supervisor:start_child(Pid, spec(Child)) end);
do({terminate, Sup, Id}, _Root) ->
    called("terminate ~s/~s", Sup, Id, fun(Pid) -> supervisor:terminate_child(Pid, Id) end);
do({restart, Sup, Id}, _Root) ->
    called("restart ~s/~s", Sup, Id, fun(Pid) -> supervisor:restart_child(Pid, Id) end);
do({delete, Sup, Id}, _Root) ->
    called("delete ~s/~s", Sup, Id, fun(Pid) -> supervisor:delete_child(Pid, Id) end);
do(shutdown, Root) ->
    ask({asked, Root}),
    exit(Root, shutdown),
    gone(Root),
    "shutdown".

order(Order, Id, Tell) ->
    Done = case ask({who, Id}) of
        {ok, Pid} ->
            case is_process_alive(Pid) of
                true -> Tell(Pid), gone(Pid), "";
                false -> " absent"
            end;
        error -> " absent"
    end,
    io_lib:format("~s ~s~s", [Order, Id, Done]).

gone(Pid) ->
    Monitor = monitor(process, Pid),
    receive {'DOWN', Monitor, _, _, _} -> ok after ?DEADLINE -> exit({does_not_end, Pid}) end.

called(Format, Sup, Id, Call) ->
    Outcome = case ask({who, Sup}) of
        {ok, Pid} -> try answer(Call(Pid)) catch exit:{noproc, _} -> "absent" end;
        error -> "absent"
    end,
    [io_lib:format(Format, [Sup, Id]), " -> ", Outcome].

answer(ok) -> "ok";
answer({ok, _}) -> "ok";
answer({error, not_found}) -> "unknown";
answer({error, running}) -> "running";
answer({error, restarting}) -> "restarting";
answer({error, already_present}) -> "duplicate";
answer({error, {already_started, _}}) -> "duplicate";
answer({error, {bad_combination, _}}) -> "bad_spec";
answer({error, {bad_combo, _, _}}) -> "bad_spec";
answer({error, {{start_spec, _}, _}}) -> "bad_spec";
answer({error, {start_spec, _}}) -> "bad_spec";
answer({error, {told_to_fail, _}}) -> "failed";
answer({error, told_to_fail}) -> "failed";
answer({error, {{shutdown, {failed_to_start_child, _, _}}, _}}) -> "failed";
answer({error, {shutdown, {failed_to_start_child, _, _}}}) -> "failed";
answer(Other) -> io_lib:format("~0p", [Other]).

%% Waits until every child of every supervisor lives or has been settled, or the root has ended. A supervisor lists a child that
%% died until it has dealt with its exit.
calm(gone, _Deadline) ->
    {ended, "before it began"};
calm(Root, Deadline) ->
    receive
        {'EXIT', Root, Reason} -> {ended, how(Reason, ask({asked_or_escalated, Root}))}
    after 0 ->
        try {quiet, shown(root, Root)}
        catch
            throw:busy -> again(Root, Deadline);
            exit:_ -> again(Root, Deadline)
        end
    end.

again(Root, Deadline) ->
    case erlang:monotonic_time(millisecond) > Deadline of
        true -> exit(not_quiet);
        false -> receive after 1 -> calm(Root, Deadline) end
    end.

how(shutdown, asked) -> "as asked";
how(shutdown, escalated) -> "by its intensity";
how(shutdown, neither) -> "by itself";
how(Reason, _) -> io_lib:format("~0p", [Reason]).

shown(Name, Sup) ->
    Children = lists:reverse(supervisor:which_children(Sup)),
    Counts = supervisor:count_children(Sup),
    [Specs, Active, Sups, Workers] = [proplists:get_value(Key, Counts) || Key <- [specs, active, supervisors, workers]],
    Each = [[" ", child(Child)] || Child <- Children],
    io_lib:format("~s(~b/~b s~b w~b)[~s ]", [Name, Active, Specs, Sups, Workers, Each]).

child({_Id, restarting, _, _}) -> throw(busy);
child({Id, undefined, _, _}) -> io_lib:format("~s:stopped", [Id]);
child({Id, Pid, Kind, _}) ->
    is_process_alive(Pid) orelse throw(busy),
    case Kind of
        worker -> io_lib:format("~s:running", [Id]);
        supervisor -> shown(Id, Pid)
    end.

%%% The stage: who started, who is to fail, and what happened when

ask(Question) ->
    Ref = make_ref(),
    stage ! {Question, self(), Ref},
    receive {Ref, Answer} -> Answer after ?DEADLINE -> exit({no_answer, Question}) end.

stage(State) ->
    receive
        {Question, From, Ref} ->
            {Answer, Next} = on_stage(Question, From, State),
            From ! {Ref, Answer},
            stage(Next)
    end.

on_stage(clear, _From, _State) ->
    drain(),
    {ok, #{events => [], who => #{}, failing => #{}, names => #{}, asked => #{}}};
on_stage({fail, Id, Times}, _From, #{failing := Failing} = State) ->
    {ok, State#{failing := Failing#{Id => Times}}};
on_stage({enter, Id}, From, #{failing := Failing} = State) ->
    case Failing of
        #{Id := Left} when Left > 0 ->
            {refused, note(["refused ", Id], State#{failing := Failing#{Id := Left - 1}})};
        _ ->
            1 = erlang:trace(From, true, [procs, strict_monotonic_timestamp]),
            #{names := Names} = Known = known(Id, From, State),
            {started, note(["start ", Id], Known#{names := Names#{From => Id}})}
    end;
on_stage({supervisor, Id}, From, State) ->
    {ok, note(["start ", Id], known(Id, From, State))};
on_stage({who, Id}, _From, #{who := Who} = State) ->
    {maps:find(Id, Who), State};
on_stage({asked, Pid}, _From, #{asked := Asked} = State) ->
    {ok, State#{asked := Asked#{Pid => asked}}};
on_stage(escalated, From, #{asked := Asked} = State) ->
    {ok, State#{asked := maps:merge(#{From => escalated}, Asked)}};
on_stage({asked_or_escalated, Pid}, _From, #{asked := Asked} = State) ->
    {maps:get(Pid, Asked, neither), State};
on_stage(read, _From, #{events := Events, names := Names} = State) ->
    Ref = erlang:trace_delivered(all),
    receive {trace_delivered, all, Ref} -> ok end,
    All = exits(Names) ++ Events,
    {[Line || {_, Line} <- lists:keysort(1, All)], State#{events := []}}.

known(Id, Pid, #{who := Who} = State) ->
    State#{who := Who#{Id => Pid}}.

note(Line, #{events := Events} = State) ->
    State#{events := [{erlang:unique_integer([monotonic]), io_lib:format("~s~s", Line)} | Events]}.

exits(Names) ->
    receive
        {trace_ts, Pid, exit, Reason, {_, At}} ->
            [{At, io_lib:format("stop ~s ~s", [maps:get(Pid, Names), class(Reason)])} | exits(Names)];
        {trace_ts, _, _, _, _} -> exits(Names);
        {trace_ts, _, _, _, _, _} -> exits(Names)
    after 0 -> []
    end.

drain() ->
    Ref = erlang:trace_delivered(all),
    receive {trace_delivered, all, Ref} -> ok end,
    forget().

forget() ->
    receive
        Trace when element(1, Trace) =:= trace_ts -> forget()
    after 0 -> ok
    end.

class(normal) -> "normal";
class(shutdown) -> "shutdown";
class(killed) -> "killed";
class(_) -> "crash".

%% Runs in the supervisor that logs.
log(#{msg := {report, #{label := {supervisor, shutdown}}}}, _Config) -> ask(escalated);
log(_Event, _Config) -> ok.

%%% Supervisors and workers of scenarios

spec({worker, Id, Restart, Significant, Shutdown, Temper}) ->
    #{id => Id, start => {?MODULE, worker, [Id, Temper]}, restart => Restart, significant => Significant,
      shutdown => Shutdown, type => worker};
spec({supervisor, Id, Restart, Significant, Sup}) ->
    #{id => Id, start => {supervisor, start_link, [?MODULE, {supervisor, Sup}]}, restart => Restart,
      significant => Significant, shutdown => infinity, type => supervisor}.

worker(Id, Temper) ->
    gen_server:start_link(?MODULE, {worker, Id, Temper}, []).

init({supervisor, {sup, Name, Strategy, Intensity, AutoShutdown, Children}}) ->
    ok = ask({supervisor, Name}),
    Flags = #{strategy => Strategy, intensity => Intensity, period => ?PERIOD, auto_shutdown => AutoShutdown},
    {ok, {Flags, [spec(Child) || Child <- Children]}};
init({worker, Id, Temper}) ->
    process_flag(trap_exit, true),
    case ask({enter, Id}) of
        started -> {ok, Temper};
        refused -> {stop, told_to_fail}
    end.

handle_call(_, _From, State) -> {reply, unexpected, State}.

handle_cast(exit, State) -> {stop, normal, State};
handle_cast(crash, State) -> {stop, told_to_crash, State};
handle_cast(panic, _State) -> error(told_to_crash).

handle_info(_, State) -> {noreply, State}.

%% Asked to end by its supervisor, a stubborn worker does not, and a sour one fails over it.
terminate(shutdown, stubborn) -> receive never -> ok end;
terminate(shutdown, sour) -> exit(told_to_crash);
terminate(_Reason, _State) -> ok.
