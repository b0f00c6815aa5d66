using System.CommandLine;
using Weft.Core;

namespace Weft.Cli.Commands;

internal static class CacheCommand
{
    public static Command Create()
    {
        var show = new Command("show", "Print where the cache is and how much it holds.");
        show.SetAction(_ => Show(new LoweringCache()));
        var clear = new Command("clear", "Delete everything in the cache; builds may be running.");
        clear.SetAction(_ => Clear(new LoweringCache()));
        var path = new Command("path", "Print the cache's folder, for scripts.");
        path.SetAction(_ => Console.Out.Write(new LoweringCache().Root + "\n"));
        return new Command("cache", "Look at or empty the cache of lowered modules.\n\nWEFT_CACHE_SIZE limits it (4G by default, 0 turns it off); XDG_CACHE_HOME moves it.") { show, clear, path };
    }

    public static string Size(long bytes)
    {
        var (unit, divisor) = bytes switch { >= 1L << 30 => ("GiB", 1L << 30), >= 1 << 20 => ("MiB", 1 << 20), >= 1 << 10 => ("KiB", 1 << 10), _ => ("bytes", 1L) };
        return divisor == 1 ? $"{bytes} bytes" : $"{(double)bytes / divisor:F1} {unit}";
    }

    private static void Show(LoweringCache cache)
    {
        var (entries, bytes) = cache.Measure();
        Console.Out.Write($"folder   {cache.Root}\nentries  {entries}\nsize     {Size(bytes)}\nlimit    {(cache.Limit == 0 ? "off" : Size(cache.Limit))}\n");
    }

    private static void Clear(LoweringCache cache)
    {
        var (entries, bytes) = cache.Measure();
        cache.Clear();
        Terminal.Status("Removed", $"{entries} entries, {Size(bytes)}");
    }
}
