using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Weft.Llvm;

namespace Weft.Core;

/// <summary>
/// Results of lowering by the content of everything they depend on, under <c>$XDG_CACHE_HOME/weft</c>. Entries are whole
/// or absent (written beside, renamed), carry a digest that is checked when read, and may be deleted at any time; so
/// builds may run at once or be killed. A cache that cannot be written only costs time.
/// </summary>
public sealed class LoweringCache
{
    private const long DefaultLimit = 4L << 30;
    private const int DigestSize = 32;

    private readonly string folder;

    public LoweringCache(string? root = null, long? limit = null)
    {
        Root = root ?? DefaultRoot();
        folder = Path.Combine(Root, "lowered");
        Limit = limit ?? ParseSize(Environment.GetEnvironmentVariable("WEFT_CACHE_SIZE"));
    }

    public string Root { get; }

    /// <summary>In bytes; 0 turns the cache off.</summary>
    public long Limit { get; }

    /// <summary>Identity of this build of Weft: what an older or newer one made is not taken for this one's.</summary>
    public static string WeftIdentity { get; } = string.Join(' ', Directory.EnumerateFiles(AppContext.BaseDirectory, "*.dll")
        .Concat(Directory.Exists(RuntimeFolder) ? Directory.EnumerateFiles(RuntimeFolder, "*", SearchOption.AllDirectories) : [])
        .Order(StringComparer.Ordinal).Select(f => new FileInfo(f)).Select(f => $"{f.Length:x}-{f.LastWriteTimeUtc.Ticks:x}"));

    private static string RuntimeFolder => Path.Combine(AppContext.BaseDirectory, "runtime");

    public static string Key(ReadOnlySpan<byte> bitcode, params ReadOnlySpan<string> circumstances)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var text in circumstances)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(text));
            hash.AppendData([0]);
        }
        hash.AppendData(Encoding.UTF8.GetBytes($"{WeftIdentity} {LlvmLibrary.Version} {LlvmLibrary.Path}"));
        hash.AppendData(bitcode);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>The stored result, or null. A damaged entry is deleted.</summary>
    public byte[]? TryGet(string key)
    {
        if (Limit == 0) return null;
        var path = PathOf(key);
        try
        {
            if (!File.Exists(path)) return null;
            var entry = File.ReadAllBytes(path);
            if (entry.Length < DigestSize || !SHA256.HashData(entry.AsSpan(DigestSize)).AsSpan().SequenceEqual(entry.AsSpan(0, DigestSize)))
            {
                AtomicFile.TryDelete(path);
                return null;
            }
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow); // eviction goes by last use
            return entry[DigestSize..];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    public void Put(string key, byte[] result)
    {
        if (Limit == 0 || result.Length > Limit) return;
        try
        {
            var path = PathOf(key);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            AtomicFile.Write(path, [.. SHA256.HashData(result), .. result]);
            if (key[0] == '0' && key[1] is '0' or '1') Trim(); // about one write in 128 pays for looking at the whole cache
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or WeftException)
        {
            if (Terminal.Verbosity > 0) Terminal.Warning($"cache not written: {e.Message}");
        }
    }

    /// <summary>Deletes the entries used longest ago until the rest fits, and temporaries that a killed build left.</summary>
    public void Trim()
    {
        var entries = Entries();
        foreach (var stale in entries.Where(f => f.Name.Contains(".weft-") && f.LastWriteTimeUtc < DateTime.UtcNow.AddHours(-1))) AtomicFile.TryDelete(stale.FullName);
        var total = entries.Sum(f => f.Length);
        foreach (var entry in entries.OrderBy(f => f.LastWriteTimeUtc))
        {
            if (total <= Limit) return;
            total -= entry.Length;
            AtomicFile.TryDelete(entry.FullName);
        }
    }

    public (int Entries, long Bytes) Measure()
    {
        var entries = Entries();
        return (entries.Count, entries.Sum(f => f.Length));
    }

    public void Clear()
    {
        try
        {
            if (Directory.Exists(Root)) Directory.Delete(Root, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"cannot clear the cache at '{Root}': {e.Message}", null, ExitCode.Failure, e);
        }
    }

    /// <summary>"500M", "4G", "1048576"; null or empty is the default.</summary>
    public static long ParseSize(string? text)
    {
        if (string.IsNullOrEmpty(text)) return DefaultLimit;
        var shift = char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, 'T' => 40, _ => 0 };
        var digits = shift == 0 ? text : text[..^1];
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number > long.MaxValue >> shift)
            throw WeftException.Usage($"WEFT_CACHE_SIZE: '{text}' is not a size", "write bytes, or a number with K, M, G or T; 0 turns the cache off");
        return number << shift;
    }

    private List<FileInfo> Entries()
    {
        var directory = new DirectoryInfo(folder);
        return directory.Exists ? [.. directory.EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true })] : [];
    }

    private string PathOf(string key) => Path.Combine(folder, key[..2], key);

    private static string DefaultRoot()
    {
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (string.IsNullOrEmpty(cache)) cache = Path.Combine(Environment.GetEnvironmentVariable("HOME") is { Length: > 0 } home ? home : Path.GetTempPath(), ".cache");
        return Path.Combine(cache, "weft");
    }
}
