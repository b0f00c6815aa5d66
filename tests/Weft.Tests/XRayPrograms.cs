using System.Globalization;
using System.Text.RegularExpressions;
using Weft.Tracing;

namespace Weft.Tests;

/// <summary>Programs built with clang's own function tracing, their logs, and what LLVM's tool says of logs.</summary>
internal static partial class XRayPrograms
{
    /// <summary>Part of clang's packages, but not of all.</summary>
    public const string Runtime = "/usr/lib/llvm-22/lib/clang/22/lib/linux/libclang_rt.xray-x86_64.a";

    private const string Source = """
        #include <pthread.h>
        #include <cstdlib>
        #include <cstring>
        #include "xray/xray_interface.h"
        #include "xray/xray_log_interface.h"
        #define NOINLINE __attribute__((noinline))
        namespace app {
        NOINLINE int leaf(int x) { asm volatile(""); return x + 1; }
        NOINLINE int tail(int x) { asm volatile(""); return leaf(x * 2); }
        NOINLINE int fib(int n) { return n < 2 ? leaf(n) : fib(n - 1) + fib(n - 2); }
        [[clang::xray_always_instrument, clang::xray_log_args(1)]] NOINLINE int argument(long v) { asm volatile(""); return (int)v; }
        NOINLINE void event(int i) { if (i % 10 == 0) __xray_customevent("custom", 6); }
        }
        static void *work(void *p) {
            volatile int sum = 0;
            for (int i = 0; i < (int)(long)p * 3; i++) { sum += app::tail(i) + app::argument(-i); app::event(i); }
            sum += app::fib((int)(long)p);
            return nullptr;
        }
        int main(int, char **arguments) {
            int n = atoi(arguments[1]);
            bool recorder = arguments[2];
            if (recorder) {
                if (__xray_log_select_mode("xray-fdr") != XRAY_REGISTRATION_OK) return 2;
                if (__xray_log_init_mode("xray-fdr", arguments[2]) != XRAY_LOG_INITIALIZED) return 3;
                __xray_patch();
            }
            pthread_t threads[3];
            for (long i = 0; i < 3; i++) pthread_create(&threads[i], nullptr, work, (void *)(n + i));
            work((void *)(long)n);
            for (auto thread : threads) pthread_join(thread, nullptr);
            if (recorder) { __xray_unpatch(); __xray_log_finalize(); __xray_log_flushLog(); }
        }
        """;

    /// <summary>Builds the program as <c>program</c> in the test's folder.</summary>
    public static string Build(Harness harness)
    {
        harness.Write("program.cc", Source);
        harness.Must("clang++-22", "-O2", "-pthread", "-fxray-instrument", "-fxray-instruction-threshold=1", "program.cc", "-o", "program");
        return harness.Path("program");
    }

    /// <summary>Runs the program in basic mode, which needs nothing but settings.</summary>
    public static string Basic(Harness harness, int size)
    {
        harness.Environment["XRAY_OPTIONS"] = $"patch_premain=true xray_mode=xray-basic xray_logfile_base={harness.Path("basic-")}";
        harness.Environment["XRAY_BASIC_OPTIONS"] = "func_duration_threshold_us=0";
        return Run(harness, "basic-", $"{size}");
    }

    /// <summary>Runs the program as a flight data recorder, which it starts itself.</summary>
    public static string FlightData(Harness harness, int size, string options = "func_duration_threshold_us=0:buffer_max=1000")
    {
        harness.Environment["XRAY_OPTIONS"] = $"xray_logfile_base={harness.Path("fdr-")}";
        return Run(harness, "fdr-", $"{size}", options);
    }

    /// <summary>A record as <c>llvm-xray convert</c> writes it, without the fields that it makes up.</summary>
    public sealed record Record(string Kind, int Id, string Function, ulong Clock, long Thread, long Process, string Arguments, string Data);

    public static List<Record> Records(Harness harness, string log, params string[] options) =>
        [.. harness.Must("llvm-xray-22", ["convert", "-f", "yaml", .. options, log]).Output.Split('\n').Select(l => Line().Match(l)).Where(m => m.Success).Select(Parse)];

    /// <summary>Calls by function as <c>llvm-xray account</c> counts them.</summary>
    public static Dictionary<string, long> Account(Harness harness, string log, string map, params string[] options)
    {
        var lines = harness.Must("llvm-xray-22", ["account", log, "-m", map, "--format=csv", .. options]).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1);
        return lines.Select(l => Account().Match(l)).ToDictionary(m => m.Groups[2].Value, m => long.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture));
    }

    /// <summary>The same of ours.</summary>
    public static string Describe(RawEvent e) => e.Kind switch
    {
        RawKind.Entry when e.Data.Length > 0 => $"{e.Time} function-enter-arg {e.Id} {BitConverter.ToUInt64(e.Data.Span)}",
        RawKind.Entry => $"{e.Time} function-enter {e.Id}",
        RawKind.Exit => $"{e.Time} function-exit {e.Id}",
        RawKind.TailExit => $"{e.Time} function-tail-exit {e.Id}",
        _ => $"{e.Time} event {System.Text.Encoding.UTF8.GetString(e.Data.Span)}",
    };

    public static string Describe(Record r, ulong start) => r.Kind.StartsWith("function", StringComparison.Ordinal)
        ? $"{r.Clock - start} {r.Kind} {r.Id}{(r.Arguments.Length > 0 ? " " + r.Arguments : "")}"
        : $"{r.Clock - start} event {r.Data}";

    private static Record Parse(Match m) => new(
        m.Groups["kind"].Value, int.Parse(m.Groups["id"].Value), m.Groups["function"].Value.Trim('\''), ulong.Parse(m.Groups["clock"].Value),
        long.Parse(m.Groups["thread"].Value), long.Parse(m.Groups["process"].Value), m.Groups["arguments"].Value, m.Groups["data"].Value.Trim('\''));

    private static string Run(Harness harness, string prefix, params string[] arguments)
    {
        harness.Must(harness.Path("program"), arguments);
        return Directory.GetFiles(harness.Folder, prefix + "*").Single();
    }

    [GeneratedRegex(@"func-id: (?<id>\d+), function: (?<function>'.*?'|[^,]*), (args: \[ (?<arguments>\d+) \], )?cpu: \d+, thread: (?<thread>\d+), process: (?<process>\d+), kind: (?<kind>[a-z-]+), tsc: (?<clock>\d+), data: (?<data>'.*'|\S*)")]
    private static partial Regex Line();

    [GeneratedRegex("""^\d+,(\d+),.*,"(.*)"$""")]
    private static partial Regex Account();
}
