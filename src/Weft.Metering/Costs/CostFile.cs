using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Weft.Core;

namespace Weft.Metering.Costs;

/// <summary>Reads a file of costs; docs/metering-costs.md describes it.</summary>
public sealed class CostFile
{
    private const ulong MostUnits = 1_000_000, MostPer = 1_000_000_000;
    private const int MostArgument = 255;
    private const int MostBytes = 64 << 10; // it travels in a variable of the environment, which has room for 128 KiB

    private const string Format = "weft-costs";
    private const int Version = 1;

    private readonly string file;

    private CostFile(string file) => this.file = file;

    /// <summary>Name, digest and content as one text, which <see cref="Parse"/> takes.</summary>
    /// <exception cref="WeftException">It is no file of costs.</exception>
    public static string Read(string name, byte[] content)
    {
        var shown = string.Concat(name.Select(c => char.IsControl(c) ? '?' : c));
        if (content.Length > MostBytes) throw new CostFile(shown).Refused($"it has more than {MostBytes >> 10} KiB", "use patterns: \"prefix_*\" is one rule for many functions");
        var text = $"{shown} sha256:{Convert.ToHexStringLower(SHA256.HashData(content))[..16]}\n{Encoding.UTF8.GetString(content).TrimStart('\ufeff')}";
        Parse(text);
        return text;
    }

    /// <exception cref="WeftException">It is no file of costs.</exception>
    internal static CostModel Parse(string text)
    {
        var end = text.IndexOf('\n', StringComparison.Ordinal);
        var name = text[..end];
        return new CostFile(FileOf(name)).Model(name, text[(end + 1)..]);
    }

    /// <summary>The file's name in that of a model.</summary>
    internal static string FileOf(string model) => model[..model.LastIndexOf(" sha256:", StringComparison.Ordinal)];

    private CostModel Model(string name, string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, AllowDuplicateProperties = false });
            return Model(name, document.RootElement);
        }
        catch (JsonException e)
        {
            throw Refused(e.LineNumber is { } line ? $"it is not JSON at line {line + 1}: {Reason(e)}" : Reason(e), "docs/metering-costs.md has an example", e);
        }
    }

    private CostModel Model(string name, JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object || Text(root, "format") != Format) throw Refused($"it does not say \"format\": \"{Format}\"", "docs/metering-costs.md has an example");
        if (!root.TryGetProperty("version", out var version) || version.ToString() != "1") throw Refused($"it does not say \"version\": {Version}", "this Weft knows no other version");
        Know(root, "", "format", "version", "base", "opcodes", "intrinsics", "functions");
        return new CostModel(name, Base(root), Weights(root), new(Rules(root, "intrinsics")), new(Rules(root, "functions")));
    }

    private CostModel Base(JsonElement root) => !root.TryGetProperty("base", out var value) ? CostModel.Canonical : Text(root, "base") switch
    {
        CostModel.CanonicalName => CostModel.Canonical,
        CostModel.InstructionsName => CostModel.Instructions,
        _ => throw Refused($"base: {value.GetRawText()} is neither \"{CostModel.CanonicalName}\" nor \"{CostModel.InstructionsName}\"", null),
    };

    private Dictionary<string, ulong> Weights(JsonElement root)
    {
        var weights = new Dictionary<string, ulong>();
        foreach (var (opcode, value) in Section(root, "opcodes"))
        {
            Know(opcode, "opcodes", CostModel.OpcodeNames);
            weights[opcode] = Number(value, $"opcodes.{opcode}", 0, MostUnits);
        }
        return weights;
    }

    private List<CallRule> Rules(JsonElement root, string section)
    {
        var rules = new List<CallRule>();
        foreach (var (name, value) in Section(root, section))
        {
            var isIntrinsic = name.StartsWith("llvm.", StringComparison.Ordinal);
            if (isIntrinsic != (section == "intrinsics")) throw Refused($"{section}.{name}: {(isIntrinsic ? "this is an intrinsic" : "names of intrinsics begin with \"llvm.\"")}", "functions of a program go into \"functions\", LLVM's own into \"intrinsics\"");
            rules.Add(new(name, Cost(value, $"{section}.{name}", isIntrinsic)));
        }
        return rules;
    }

    private CallCost Cost(JsonElement value, string key, bool isIntrinsic) => value.ValueKind switch
    {
        JsonValueKind.Number => new(Number(value, key, 0, MostUnits)),
        JsonValueKind.String when !isIntrinsic && value.ValueEquals("free") => new(0, IsFree: true),
        JsonValueKind.Object => Linear(value, key),
        _ => throw Refused($"{key}: {value.GetRawText()} is no cost", $"a cost is a number, {(isIntrinsic ? "" : "\"free\", ")}or an object with \"cost\", \"argument\", \"units\" and \"per\""),
    };

    private CallCost Linear(JsonElement value, string key)
    {
        Know(value, key, "cost", "argument", "units", "per");
        var units = value.TryGetProperty("cost", out var cost) ? Number(cost, $"{key}.cost", 0, MostUnits) : throw Refused($"{key}: \"cost\" is missing", "it is what a call costs whatever its arguments are; 0 is allowed");
        if (value.TryGetProperty("argument", out var argument))
            return new(units, new((int)Number(argument, $"{key}.argument", 0, MostArgument), NumberOr1(value, key, "units", MostUnits), NumberOr1(value, key, "per", MostPer)));
        if (value.TryGetProperty("units", out _) || value.TryGetProperty("per", out _)) throw Refused($"{key}: \"argument\" is missing", "it says which argument the units are counted by, from 0");
        return new(units);
    }

    private ulong NumberOr1(JsonElement value, string key, string name, ulong most) => value.TryGetProperty(name, out var number) ? Number(number, $"{key}.{name}", 1, most) : 1;

    private ulong Number(JsonElement value, string key, ulong least, ulong most) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetUInt64(out var number) && number >= least && number <= most ? number
            : throw Refused($"{key}: {value.GetRawText()} is not a whole number from {least} to {most.ToString("N0", CultureInfo.InvariantCulture)}", null);

    private IEnumerable<(string Name, JsonElement Value)> Section(JsonElement root, string name)
    {
        if (!root.TryGetProperty(name, out var section)) return [];
        if (section.ValueKind != JsonValueKind.Object) throw Refused($"{name}: it is not an object", "write names and their costs between { and }");
        return section.EnumerateObject().Select(p => (p.Name, p.Value));
    }

    private void Know(JsonElement element, string key, params string[] known)
    {
        foreach (var property in element.EnumerateObject()) Know(property.Name, key, known);
    }

    private void Know(string name, string key, IReadOnlyCollection<string> known)
    {
        if (!known.Contains(name)) throw Refused($"{(key.Length > 0 ? key + ": " : "")}there is no \"{name}\"", Nearest(name, known));
    }

    private static string Nearest(string name, IReadOnlyCollection<string> known) =>
        Spelling.Nearest(name, known) is { } meant ? $"did you mean \"{meant}\"?" : known.Count > 8 ? "docs/metering-costs.md lists them" : $"there is {string.Join(", ", known)}";

    private static string? Text(JsonElement root, string name) => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    // .NET repeats the place in its own words.
    private static string Reason(JsonException e) => e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal) is var at and >= 0 ? e.Message[..at] : e.Message;

    private WeftException Refused(string what, string? help, Exception? inner = null) => new($"{file}: {what}", help, ExitCode.Usage, inner);
}
