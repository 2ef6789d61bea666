%% What `benches/supervision.rs` measures of ours, measured of Erlang/OTP's own supervisor. Nothing is logged, as on our side.
%%
%% A supervisor here looks through all restarts of its period at each new one. So that this does not count against it, each
%% supervisor bears one short round of restarts, and is then replaced by a new one.
-module(supervision).

-export([main/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
-export([worker/2, named_worker/2]).

%% The figures, as a line each: name and numbers.
main(Arguments) ->
    [Samples, Round, Rounds, Starts, Idle] = [list_to_integer(Argument) || Argument <- Arguments],
    ok = logger:set_primary_config(level, none),
    ok = logger:remove_handler(default),
    process_flag(trap_exit, true),
    tell(idle_child_bytes, [idle_bytes(Idle)]),
    tell(recovery_error_us, times(error, Samples, Round)),
    tell(recovery_panic_us, times(panic, Samples, Round)),
    tell(recovery_kill_us, times(killed, Samples, Round)),
    [tell(lists:concat(["restarts_", Sups, "_", Children, "_per_s"]), [restarts(Sups, Children, Round, Rounds)])
     || {Sups, Children} <- [{1, 1}, {1, 64}, {8, 1}, {8, 8}]],
    tell(starts_dynamic_per_s, [starts(simple_one_for_one, Starts)]),
    tell(starts_one_for_one_per_s, [starts(one_for_one, Starts)]),
    %% Everything is written, as by ours: without a limit on bursts.
    Handler = #{config => #{file => "/dev/null", filesync_repeat_interval => no_repeat, burst_limit_enable => false}},
    ok = logger:add_handler(nowhere, logger_std_h, Handler),
    ok = logger:set_primary_config(level, notice),
    tell(recovery_logged_us, times(error, Samples, Round)),
    halt(0).

tell(Name, Numbers) ->
    io:format("~s~s~n", [Name, [io_lib:format(" ~.3f", [float(Number)]) || Number <- Numbers]]).

%% Median and 99th percentile in microseconds, of the faster of two ways in which a client can find out.
times(How, Samples, Round) ->
    lists:min([quantiles(recoveries(Way, How, Samples, Round)) || Way <- [asked, told]]).

quantiles(Times) ->
    Sorted = list_to_tuple(lists:sort(Times)),
    [element(1 + (tuple_size(Sorted) - 1) * Percent div 100, Sorted) / 1000 || Percent <- [50, 99]].

%%% From a crash to the next answer, in nanoseconds

%% `asked`: the client asks again until it is answered. `told`: the worker tells the client that it is there, who then asks.
recoveries(_Way, _How, Samples, _Round) when Samples =< 0 ->
    [];
recoveries(Way, How, Samples, Round) ->
    Client = self(),
    Start = case Way of
        asked -> fun() -> ok end;
        told -> fun() -> Client ! up end
    end,
    Spec = #{id => worker, start => {?MODULE, named_worker, [bench, Start]}},
    {ok, Sup} = start(one_for_one, Round, [Spec]),
    up(Way),
    Times = [recovery(Way, How) || _ <- lists:seq(1, Round)],
    stop(Sup),
    Times ++ recoveries(Way, How, Samples - Round, Round).

recovery(Way, How) ->
    Before = gen_server:call(bench, ping),
    Began = erlang:monotonic_time(nanosecond),
    case How of
        killed -> exit(Before, kill);
        _ -> gen_server:cast(bench, How)
    end,
    up(Way),
    served(Before),
    erlang:monotonic_time(nanosecond) - Began.

up(asked) -> ok;
up(told) -> receive up -> ok end.

served(Before) ->
    try gen_server:call(bench, ping) of
        Before -> served(Before);
        _ -> ok
    catch
        exit:_ -> erlang:yield(), served(Before)
    end.

%%% Restarts a second, of workers that crash as soon as they run

restarts(Sups, Children, Round, Rounds) ->
    Began = erlang:monotonic_time(nanosecond),
    [restarts_of_a_round(Sups, Children, Round) || _ <- lists:seq(1, Rounds)],
    per_second(Sups * Round * Rounds, Began).

restarts_of_a_round(Sups, Children, Round) ->
    Client = self(),
    Started = [begin
        Starts = atomics:new(1, []),
        Start = fun() -> storm(atomics:add_get(Starts, 1, 1), Round, Round + Children, Client) end,
        Specs = [#{id => Id, start => {?MODULE, worker, [Start, idle]}} || Id <- lists:seq(1, Children)],
        {ok, Sup} = start(one_for_one, Round, Specs),
        Sup
    end || _ <- lists:seq(1, Sups)],
    [receive done -> ok end || _ <- Started],
    [stop(Sup) || Sup <- Started].

%% The first starts of a round crash; the last of all tells the client.
storm(Start, Round, _Last, _Client) when Start =< Round -> self() ! crash;
storm(Last, _Round, Last, Client) -> Client ! done;
storm(_Start, _Round, _Last, _Client) -> ok.

%%% Children started a second by calls of one client, one after the other

starts(Strategy, Number) ->
    Specs = case Strategy of
        simple_one_for_one -> [#{id => worker, start => {?MODULE, worker, [fun() -> ok end]}}];
        one_for_one -> []
    end,
    {ok, Sup} = start(Strategy, 1, Specs),
    Began = erlang:monotonic_time(nanosecond),
    [begin
        Child = case Strategy of
            simple_one_for_one -> [idle];
            one_for_one -> #{id => Id, start => {?MODULE, worker, [fun() -> ok end, idle]}}
        end,
        {ok, _} = supervisor:start_child(Sup, Child)
    end || Id <- lists:seq(1, Number)],
    Rate = per_second(Number, Began),
    stop(Sup),
    Rate.

%%% Resident bytes of an idle child

idle_bytes(Number) ->
    {ok, Sup} = start(simple_one_for_one, 1, [#{id => worker, start => {?MODULE, worker, [fun() -> ok end]}}]),
    Before = resident(),
    [{ok, _} = supervisor:start_child(Sup, [idle]) || _ <- lists:seq(1, Number)],
    Bytes = (resident() - Before) div Number,
    stop(Sup),
    Bytes.

resident() ->
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [Kilobytes]} = re:run(Status, "VmRSS:\\s*(\\d+) kB", [{capture, all_but_first, list}]),
    list_to_integer(Kilobytes) * 1024.

per_second(Number, Began) ->
    Number * 1000000000 div (erlang:monotonic_time(nanosecond) - Began).

%%% Supervisors and workers

start(Strategy, Intensity, Specs) ->
    supervisor:start_link(?MODULE, {supervisor, Strategy, Intensity, Specs}).

stop(Sup) ->
    exit(Sup, shutdown),
    receive {'EXIT', Sup, shutdown} -> ok end.

worker(Start, State) -> gen_server:start_link(?MODULE, {worker, Start, State}, []).

named_worker(Name, Start) -> gen_server:start_link({local, Name}, ?MODULE, {worker, Start, idle}, []).

init({supervisor, Strategy, Intensity, Specs}) ->
    {ok, {#{strategy => Strategy, intensity => Intensity, period => 3600}, Specs}};
init({worker, Start, State}) ->
    Start(),
    {ok, State}.

handle_call(ping, _From, State) -> {reply, self(), State}.

handle_cast(error, State) -> {stop, told_to_fail, State};
handle_cast(panic, _State) -> error(told_to_panic).

handle_info(crash, State) -> {stop, told_to_fail, State}.

terminate(_Reason, _State) -> ok.
