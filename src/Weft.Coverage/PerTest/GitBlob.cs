using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Weft.Coverage.PerTest;

/// <summary>git's name for the content of a file: patches tell it of both sides.</summary>
public static class GitBlob
{
    /// <param name="path">A file.</param>
    /// <param name="unchangedSince">Empty if it was written after that.</param>
    /// <returns>Hexadecimal digits; empty if it cannot be read.</returns>
    [SuppressMessage("Security", "CA5350", Justification = "git's own hash; nothing is secured with it")]
    public static string Of(string path, DateTime? unchangedSince = null)
    {
        try
        {
            if (File.GetLastWriteTimeUtc(path) > unchangedSince) return "";
            var content = File.ReadAllBytes(path);
            return Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {content.Length}\0"), .. content]));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
