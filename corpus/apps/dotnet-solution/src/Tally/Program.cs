using Tally.Core;

Console.WriteLine(Report.Of(File.ReadAllText("data/words.txt")));
