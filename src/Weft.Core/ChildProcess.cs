using System.ComponentModel;
using System.Diagnostics;
using System.IO.Pipes;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Weft.Core;

/// <summary>Runs other programs. Arguments are lists, never joined strings.</summary>
public static class ChildProcess
{
    /// <summary>Runs with this process's own stdin, stdout and stderr; returns the exit code (128 + n for signal n).</summary>
    public static int Run(string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string?>? environment = null, string? workingDirectory = null)
    {
        Terminal.Command(program, arguments);
        using var process = Start(Prepare(program, arguments, environment, workingDirectory));
        process.WaitForExit();
        return process.ExitCode;
    }

    /// <summary>Runs with this process's own stdin and stderr; <paramref name="line"/> gets stdout, each line as bytes without its end.</summary>
    public static int Listen(string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string?> environment, Action<byte[]> line)
    {
        Terminal.Command(program, arguments);
        var info = Prepare(program, arguments, environment, workingDirectory: null);
        info.RedirectStandardOutput = true;
        using var process = Start(info);
        using var output = new BufferedStream(process.StandardOutput.BaseStream, 1 << 16);
        var collected = new List<byte>();
        for (var next = output.ReadByte(); next >= 0; next = output.ReadByte())
        {
            if (next != '\n')
            {
                collected.Add((byte)next);
                continue;
            }
            line([.. collected]);
            collected.Clear();
        }
        if (collected.Count > 0) line([.. collected]);
        process.WaitForExit();
        return process.ExitCode;
    }

    /// <summary>
    /// As <see cref="Run"/>, for a program that a person works with: what the terminal sends to both (Ctrl-C) is left to the
    /// program to answer, and what only this process is sent is handed on by <paramref name="send"/>.
    /// </summary>
    public static int RunInForeground(string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string?> environment, Action<int, PosixSignal> send, Action<int>? running = null)
    {
        Terminal.Command(program, arguments);
        using var process = new Process { StartInfo = Prepare(program, arguments, environment, workingDirectory: null) };
        var started = new TaskCompletionSource<int>();
        void HandOn(PosixSignalContext context)
        {
            context.Cancel = true;
            if (context.Signal is PosixSignal.SIGTERM or PosixSignal.SIGHUP) send(started.Task.Result, context.Signal);
        }
        PosixSignal[] signals = [PosixSignal.SIGINT, PosixSignal.SIGQUIT, PosixSignal.SIGTERM, PosixSignal.SIGHUP];
        var registrations = signals.Select(s => PosixSignalRegistration.Create(s, HandOn)).ToList();
        try
        {
            Start(process);
            started.SetResult(process.Id);
            running?.Invoke(process.Id);
            process.WaitForExit();
            return process.ExitCode;
        }
        finally
        {
            foreach (var registration in registrations) registration.Dispose();
        }
    }

    /// <summary>Runs and collects what the program prints; stdin is closed.</summary>
    public static Captured Capture(string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string?>? environment = null, string? workingDirectory = null)
    {
        Terminal.Command(program, arguments);
        var info = Prepare(program, arguments, environment, workingDirectory);
        info.RedirectStandardInput = info.RedirectStandardOutput = info.RedirectStandardError = true;
        using var process = Start(info);
        process.StandardInput.Close();
        var errors = "";
        var reader = new Thread(() => errors = ReadToEnd(process.StandardError));
        reader.Start();
        var output = ReadToEnd(process.StandardOutput);
        reader.Join();
        process.WaitForExit();
        return new Captured(process.ExitCode, output, errors);
    }

    /// <summary>The file a program name stands for, searched as execvp does; null when there is none.</summary>
    public static string? Find(string program)
    {
        if (program.Contains('/')) return File.Exists(program) ? Path.GetFullPath(program) : null;
        foreach (var folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries))
            if (Path.Combine(folder, program) is var file && File.Exists(file))
                return file;
        return null;
    }

    private static ProcessStartInfo Prepare(string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string?>? environment, string? workingDirectory)
    {
        var info = new ProcessStartInfo(program) { UseShellExecute = false };
        foreach (var argument in arguments) info.ArgumentList.Add(argument);
        if (workingDirectory != null) info.WorkingDirectory = workingDirectory;
        if (environment == null) return info;
        foreach (var (name, value) in environment)
            if (value == null) info.Environment.Remove(name);
            else info.Environment[name] = value;
        return info;
    }

    // As a file: .NET reads pipes through its socket engine, whose start-up (a thread, an epoll set) a short command notices.
    private static string ReadToEnd(StreamReader reader)
    {
        if (reader.BaseStream is not AnonymousPipeClientStream pipe) return reader.ReadToEnd();
        using var handle = new SafeFileHandle(pipe.SafePipeHandle.DangerousGetHandle(), ownsHandle: false);
        using var file = new FileStream(handle, FileAccess.Read, bufferSize: 0);
        using var text = new StreamReader(file, reader.CurrentEncoding);
        return text.ReadToEnd();
    }

    private static Process Start(ProcessStartInfo info)
    {
        var process = new Process { StartInfo = info };
        Start(process);
        return process;
    }

    private static void Start(Process process)
    {
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            throw new WeftException($"cannot run '{process.StartInfo.FileName}': {e.Message}", "check that it is installed and on PATH", ExitCode.Failure, e);
        }
    }

    public readonly record struct Captured(int ExitCode, string Output, string Errors);
}
