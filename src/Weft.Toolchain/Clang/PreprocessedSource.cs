using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Weft.Core;

namespace Weft.Toolchain.Clang;

/// <summary>What clang's preprocessor made of a translation unit, and a fingerprint of the files of the user's that it read.</summary>
internal static partial class PreprocessedSource
{
    public static SourceContext Read(byte[] preprocessed, string mainFile, bool isCpp)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(preprocessed);
        var text = Encoding.UTF8.GetString(preprocessed);
        // Comments and columns leave no trace in what is preprocessed, and regions depend on them.
        foreach (var file in UserFile().Matches(text).Select(m => m.Groups["file"].Value.Replace("\\\\", "\\")).Distinct())
            if (File.Exists(file))
                hash.AppendData(AtomicFile.Read(file));
        return new SourceContext(Convert.ToHexString(hash.GetHashAndReset()), Environment.CurrentDirectory) { Preprocessed = text, MainFile = mainFile, IsCpp = isCpp };
    }

    // A marker of a line: 3 among its flags is said of the system's headers.
    [GeneratedRegex("^# [0-9]+ \"(?<file>.*)\"[ 124]*$", RegexOptions.Multiline)]
    private static partial Regex UserFile();
}
