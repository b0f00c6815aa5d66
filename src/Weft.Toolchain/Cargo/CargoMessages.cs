using System.Text.Json;

namespace Weft.Toolchain.Cargo;

/// <summary>
/// What cargo tells programs, one JSON object a line (<c>--message-format=json</c>). Lines that are not cargo's, such as
/// what a procedural macro prints, go to stdout as they do under plain cargo.
/// </summary>
internal sealed class CargoMessages(bool print)
{
    private readonly Stream output = Console.OpenStandardOutput();

    public List<CargoArtifact> Artifacts { get; } = [];

    public List<string> LibraryFolders { get; } = [];

    public void Take(byte[] line)
    {
        if (!Understand(line) || print)
        {
            output.Write([.. line, (byte)'\n']);
            output.Flush();
        }
    }

    private bool Understand(byte[] line)
    {
        if (!line.AsSpan().StartsWith("{\"reason\":"u8)) return false;
        try
        {
            using var message = JsonDocument.Parse(line);
            Take(message.RootElement);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private void Take(JsonElement message)
    {
        switch (message.GetProperty("reason").GetString())
        {
            case "compiler-artifact":
                var target = message.GetProperty("target");
                Artifacts.Add(new CargoArtifact(
                    target.GetProperty("name").GetString()!,
                    Texts(target.GetProperty("kind")),
                    Texts(message.GetProperty("filenames")),
                    message.TryGetProperty("executable", out var executable) ? executable.GetString() : null));
                break;
            case "build-script-executed": // "native=/folder", or the folder alone
                LibraryFolders.AddRange(Texts(message.GetProperty("linked_paths")).Select(p => p[(p.IndexOf('=') + 1)..]));
                break;
        }
    }

    private static List<string> Texts(JsonElement array) => [.. array.EnumerateArray().Select(t => t.GetString()!)];
}
