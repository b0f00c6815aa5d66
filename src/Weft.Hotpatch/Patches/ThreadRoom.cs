using Weft.Core;
using Weft.Hotpatch.Objects;
using Weft.Llvm;

namespace Weft.Hotpatch.Patches;

/// <summary>
/// Thread-locals that are new with a patch. Threads that run got their memory when they began, so the runtime keeps some of it free
/// in each (runtime/hotpatch.c), all zero. What begins as something else than zero cannot be there.
/// </summary>
internal sealed class ThreadRoom
{
    private const string Symbol = "weft_hotpatch_thread_room";

    private readonly List<string> refusals;
    private readonly ulong end;
    private ulong next;
    private readonly Dictionary<EntityName, Entity> news = [];

    public ThreadRoom(Image image, Snapshot snapshot, List<string> refusals)
    {
        this.refusals = refusals;
        if (image.FindGlobal(Symbol) is not { } room) return;
        next = room.Offset;
        end = room.Offset + room.Symbol.Size;
        foreach (var (name, taken) in snapshot.Entities)
            if (taken.Kind == EntityKind.ThreadLocal && name.Name != Symbol && taken.Offset >= next && taken.Offset < end) next = taken.Offset + taken.Size;
    }

    /// <summary>What has been given room, as a snapshot has it: of the toolchain's libraries too, which no build is compared with.</summary>
    public IReadOnlyDictionary<EntityName, Entity> News => news;

    /// <summary>A place for it in the program's template, or null and a refusal.</summary>
    public ulong? Take(EntityName name, Place place, ElfSymbol symbol)
    {
        if (news.TryGetValue(name, out var known)) return known.Offset;
        if (place.Section == 0) return Refuse($"the thread-local {Demangler.Demangle(symbol.Name)} is in no object of the build");
        var section = place.File.SectionOf(place.Section);
        var content = place.File.Elf.Content(section).Span;
        if (content.Length > 0 && content.Slice((int)place.Start, (int)place.Size).IndexOfAnyExcept((byte)0) >= 0)
            return Refuse($"the thread-local {Demangler.Demangle(symbol.Name)} is new and begins with another value than zero, which threads that run would not see");
        var alignment = Math.Max(1, section.Alignment);
        var at = (next + alignment - 1) / alignment * alignment;
        if (at + symbol.Size > end) return Refuse($"the thread-local {Demangler.Demangle(symbol.Name)} is new, and there is no room left for it in the threads that run");
        next = at + symbol.Size;
        news[name] = new Entity(EntityKind.ThreadLocal, 0, symbol.Size, 0, at);
        return at;
    }

    private ulong? Refuse(string reason)
    {
        refusals.Add(reason);
        return null;
    }
}
