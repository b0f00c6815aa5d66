Console.Error.WriteLine("weft");
