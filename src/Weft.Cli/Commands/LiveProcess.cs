using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Weft.Core;
using Weft.Toolchain;

#pragma warning disable CA1416 // file modes: where there is no Linux, there is no such process either

namespace Weft.Cli.Commands;

/// <summary>
/// Talks to an instrument's runtime in a running program (runtime/control.h): listens on a Unix socket in a folder that
/// only the program's user may enter, and asks the program to connect by SIGURG, which programs that do not expect it ignore.
/// Each request is one connection.
/// </summary>
internal sealed class LiveProcess : IDisposable
{
    private const int Urgent = 23; // SIGURG on every Linux that Weft supports
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private readonly string socketPath;
    private readonly FileStream turn;
    private readonly Socket listener;

    private LiveProcess(int id, string socketPath, FileStream turn, Socket listener)
    {
        Id = id;
        this.socketPath = socketPath;
        this.turn = turn;
        this.listener = listener;
    }

    public int Id { get; }

    /// <summary>The process of this id, or the only one of this name.</summary>
    public static int Find(string who)
    {
        if (int.TryParse(who, NumberStyles.None, CultureInfo.InvariantCulture, out var id))
            return Directory.Exists($"/proc/{id}") ? id : throw new WeftException($"there is no process {id}");
        var found = Directory.EnumerateDirectories("/proc").Select(d => int.TryParse(Path.GetFileName(d), NumberStyles.None, CultureInfo.InvariantCulture, out var p) ? p : 0)
            .Where(p => p > 0 && NameOf(p) == who).Order().ToList();
        return found switch
        {
            [var only] => only,
            [] => throw new WeftException($"no process is called '{who}'", "give its id; 'ps' lists them"),
            _ => throw new WeftException($"several processes are called '{who}': {string.Join(", ", found)}", "give the id of one of them"),
        };
    }

    /// <summary>Takes control, or says why that is not possible.</summary>
    /// <param name="id">The process.</param>
    /// <param name="instrument">Whose runtime is asked.</param>
    /// <param name="help">How a program comes to have it.</param>
    public static LiveProcess Attach(int id, string instrument, string help)
    {
        var user = UserOf(id);
        if (user != Posix.EffectiveUser && Posix.EffectiveUser != 0) throw new WeftException($"process {id} belongs to another user", "attach as that user, or as root");
        RequireInstrumented(id, help);
        var folder = $"/tmp/weft-{user}";
        OwnFolder(folder, user);
        var mine = TakeTurn(Path.Combine(folder, $"{instrument}-{id}.lock"), id, instrument);
        try
        {
            var path = Path.Combine(folder, $"{instrument}-{id}.sock");
            File.Delete(path); // of somebody that was killed: the turn is ours
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Bind(new UnixDomainSocketEndPoint(path));
            Posix.TryChangeOwner(path, user);
            socket.Listen(4);
            return new LiveProcess(id, path, mine, socket);
        }
        catch
        {
            mine.Dispose();
            throw;
        }
    }

    /// <summary>The answer without its "ok", or an error of the program.</summary>
    /// <param name="request">One line, without its end.</param>
    /// <param name="attached">What follows it.</param>
    public string Ask(string request, byte[]? attached = null) => Encoding.UTF8.GetString(AskBytes(request, attached));

    public byte[] AskBytes(string request, byte[]? attached = null)
    {
        for (var attempt = 0; ; attempt++)
        {
            var answer = Exchange(request, attached ?? []);
            if (answer.AsSpan().StartsWith("ok"u8)) return answer.AsSpan(2).TrimStart((byte)' ').ToArray();
            var text = Encoding.UTF8.GetString(answer);
            if (text.StartsWith("error busy", StringComparison.Ordinal) && attempt < 50) Thread.Sleep(10);
            else if (text.StartsWith("error ", StringComparison.Ordinal)) throw new WeftException($"process {Id}: {text["error ".Length..]}");
            else throw new WeftException(HasEnded() ? $"process {Id} has ended" : $"process {Id}: no answer");
        }
    }

    public void Dispose()
    {
        listener.Dispose();
        File.Delete(socketPath);
        File.Delete(turn.Name);
        turn.Dispose();
    }

    private byte[] Exchange(string request, byte[] attached)
    {
        if (Posix.Signal(Id, Urgent) != 0) throw new WeftException($"process {Id} has ended");
        using var connection = Accept();
        connection.SendTimeout = connection.ReceiveTimeout = (int)Patience.TotalMilliseconds;
        try
        {
            Send(connection, [.. Encoding.UTF8.GetBytes(request + "\n"), .. attached]);
            return Receive(connection);
        }
        catch (SocketException e)
        {
            throw HasEnded() ? new WeftException($"process {Id} has ended", e) : new WeftException($"process {Id} does not go on with its answer", "it is stopped, or it is very busy: try again, and look at what it was asked for", ExitCode.Failure, e);
        }
    }

    private static byte[] Receive(Socket connection)
    {
        using var answer = new MemoryStream();
        var buffer = new byte[65536];
        for (int got; (got = connection.Receive(buffer)) > 0;) answer.Write(buffer, 0, got);
        return answer.ToArray();
    }

    /// <summary>A process that has not been waited for is still there, without a file.</summary>
    private bool HasEnded() => !Directory.Exists($"/proc/{Id}") || Status(Id, "State:") is "" or ['Z' or 'X', ..];

    private static void Send(Socket connection, byte[] bytes)
    {
        for (var sent = 0; sent < bytes.Length;) sent += connection.Send(bytes.AsSpan(sent));
    }

    private Socket Accept()
    {
        var until = DateTime.UtcNow + Patience;
        while (listener.Poll(TimeSpan.FromMilliseconds(50), SelectMode.SelectRead) is var ready)
        {
            if (ready)
            {
                var connection = listener.Accept();
                if (PeerOf(connection) == Id) return connection;
                connection.Dispose(); // whoever that is: not whom we asked
            }
            else if (HasEnded()) throw new WeftException($"process {Id} has ended");
            else if (DateTime.UtcNow > until)
                throw new WeftException($"process {Id} does not answer", "all its threads block SIGURG or are stopped, it has a handler for SIGURG of its own, or it sees another /tmp (a container)");
        }
        throw new InvalidOperationException();
    }

    private static int PeerOf(Socket connection)
    {
        var credentials = new byte[12]; // struct ucred: pid, uid, gid
        connection.GetRawSocketOption(1, 17, credentials); // SOL_SOCKET, SO_PEERCRED
        return MemoryMarshal.Read<int>(credentials);
    }

    private static string NameOf(int id)
    {
        try
        {
            return Path.GetFileName(new FileInfo($"/proc/{id}/exe").LinkTarget ?? "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static uint UserOf(int id) => Status(id, "Uid:").Split('\t', StringSplitOptions.RemoveEmptyEntries) is [_, var effective, ..] ? uint.Parse(effective, CultureInfo.InvariantCulture) : throw new WeftException($"there is no process {id}");

    private static string Status(int id, string field)
    {
        try
        {
            return File.ReadLines($"/proc/{id}/status").FirstOrDefault(l => l.StartsWith(field, StringComparison.Ordinal))?[field.Length..].Trim('\t', ' ') ?? "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"there is no process {id}", e);
        }
    }

    /// <summary>The handler is there when the program was built for it; a signal to one that was not would be for nothing.</summary>
    private static void RequireInstrumented(int id, string help)
    {
        var caught = ulong.TryParse(Status(id, "SigCgt:"), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var mask) && (mask >> (Urgent - 1) & 1) != 0;
        if (!caught) throw new WeftException($"process {id} ({NameOf(id)}) does not listen", help);
    }

    private static void OwnFolder(string folder, uint user)
    {
        const UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        var existed = Directory.Exists(folder);
        if (existed && new DirectoryInfo(folder).LinkTarget != null) throw new WeftException($"'{folder}' is a symbolic link", "remove it: it is not Weft's");
        try
        {
            if (!existed) Directory.CreateDirectory(folder, mode);
            File.SetUnixFileMode(folder, mode); // which only its owner may
        }
        catch (UnauthorizedAccessException e)
        {
            throw new WeftException($"'{folder}' belongs to another user", "have it removed: the socket must be where nobody else can reach it", ExitCode.Failure, e);
        }
        if (user != Posix.EffectiveUser) Posix.TryChangeOwner(folder, user);
    }

    private static FileStream TakeTurn(string path, int id, string instrument)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new WeftException($"another 'weft {instrument}' is working on process {id}", "wait until it is done, or end it", ExitCode.Failure, e);
        }
    }
}
