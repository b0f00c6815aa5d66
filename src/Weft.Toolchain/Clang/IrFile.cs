using System.Text;
using System.Text.Json;
using Weft.Core;

namespace Weft.Toolchain.Clang;

/// <summary>Bitcode as a later step of clang's reads it.</summary>
/// <param name="Name">What clang is told, and calls the module.</param>
/// <param name="Overlay">A file that tells clang where the content really is; null when the name says it.</param>
internal sealed record IrFile(string Name, string? Overlay = null)
{
    /// <summary>Stores bitcode to be read under the name of the source it was made from.</summary>
    public static IrFile Store(string source, byte[] bitcode, TemporaryFolder folder)
    {
        var content = folder.File("woven.bc");
        AtomicFile.Write(content, bitcode);
        var name = source == "-" ? "<stdin>" : source;
        var overlay = folder.File("overlay.yaml");
        AtomicFile.Write(overlay, Encoding.UTF8.GetBytes($$"""
            {"version":0,"use-external-names":false,"roots":[{"type":"file","name":{{Quote(Path.GetFullPath(name))}},"external-contents":{{Quote(content)}}}]}
            """));
        return new(name, overlay);
    }

    private static string Quote(string text) => "\"" + JsonEncodedText.Encode(text, System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping) + "\"";
}
