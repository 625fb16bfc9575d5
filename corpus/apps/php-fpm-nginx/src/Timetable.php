<?php

namespace Harbour\Ferry;

final class Timetable
{
    public function __construct(private readonly string $file)
    {
    }

    public function next(int $hour): string
    {
        foreach (file($this->file, FILE_IGNORE_NEW_LINES) as $line) {
            [$at, $place] = explode(',', $line);
            if ((int) $at >= $hour) {
                return sprintf('Next ferry: %s o\'clock to %s', $at, mb_strtoupper($place));
            }
        }

        return 'Next ferry: tomorrow';
    }
}
