"""Dockerfiles on which every parser that is not BuildKit's goes wrong somewhere, written for this project."""

from __future__ import annotations

AGREED: dict[str, str] = {
    "plain": 'FROM alpine\nRUN apk add curl\nCMD ["curl"]\n',
    "lower case keywords": 'from alpine as base\nrun id\nentrypoint ["id"]\n',
    "no final newline": "FROM alpine\nRUN id",
    "final line is a continuation": "FROM alpine\nRUN id \\\n",
    "continuation hits the end without newline": "FROM alpine\nRUN id \\",
    "continuation swallows blank lines at the end": "FROM alpine\nRUN id \\\n\n\n# note\n",
    "blanks behind the escape character": "FROM alpine\nRUN a \\ \t\n  b\n",
    "words meet where lines are joined": "FROM alpine\nRUN fo\\\no b\\\n ar\n",
    "escaped escape does not continue": "FROM alpine\nRUN echo c:\\\\\nRUN id\n",
    "three escapes do not continue": "FROM alpine\nRUN echo c:\\\\\\\nRUN id\n",
    "comment inside a continuation": "FROM alpine\nRUN a && \\\n# note \\\n    # indented\n  b\n",
    "blank lines inside a continuation": "FROM alpine\nRUN a && \\\n\n   \t\n  b\nUSER me\n",
    "escape character alone on a line": "FROM alpine\n\\\nRUN a \\\n\\\n  b\n",
    "comment sign inside a line": "FROM alpine\nRUN a # b\nENV a=b #c=d\n",
    "CRLF": 'FROM alpine\r\nRUN a && \\\r\n    b\r\nCMD ["a",\r\n',
    "CRLF with blanks behind the escape": "FROM alpine\r\nRUN a \\  \r\n b\r\n",
    "lone carriage returns": "FROM alpine\rRUN a\nRUN b\rc\n",
    "mixed endings": "FROM alpine\r\nRUN a\nRUN b\r\n",
    "byte-order mark": "\ufeffFROM alpine\nRUN a\n",
    "byte-order mark and directive": "\ufeff# escape=`\nFROM alpine\nRUN a `\n  b\n",
    "tabs": "FROM\talpine\tAS\tbase\n\tRUN\ta\t&&\t\\\n\t\tb\n",
    "form feed and vertical tab": "FROM alpine\n\x0c RUN\x0ba \x0b\n",
    "backtick escape": "# escape=`\nFROM alpine\nRUN dir c:\\ `\n  && x\nENV a=b` c\n",
    "escape directive with blanks and case": "#  EsCaPe  =  `  \nFROM alpine\nRUN a `\n b\n",
    "directives in another order": "# escape=`\n# syntax=docker/dockerfile:1\nFROM alpine\nRUN a `\n b\n",
    "directive behind a comment is a comment": "# note\n# escape=`\nFROM alpine\nRUN a \\\n b\n",
    "directive behind a blank line is a comment": "\n# escape=`\nFROM alpine\nRUN a \\\n b\n",
    "unknown directive ends the directives": "# color=red\n# escape=`\nFROM alpine\nRUN a \\\n b\n",
    "heredoc": "FROM alpine\nRUN <<EOF\na\n  FROM b\n\n# c\nEOF\nRUN d\n",
    "heredoc that strips tabs": "FROM alpine\nRUN <<-EOF\n\ta\n\t\tEOF\nRUN d\n",
    "heredoc that keeps tabs": "FROM alpine\nRUN <<EOF\n\tEOF\nEOF\nRUN d\n",
    "heredoc with a quoted name": "FROM alpine\nRUN cat <<'A B' <<\"C\"\na\nA B\nc\nC\nRUN d\n",
    "heredoc with an escaped name": "FROM alpine\nRUN cat <<\\EOF\n$a\nEOF\nRUN d\n",
    "heredocs in a row": "FROM alpine\nCOPY <<one <<two /to/\n1\none\n2\ntwo\nRUN d\n",
    "heredoc with a descriptor": "FROM alpine\nRUN cmd 3<<EOF\na\nEOF\nRUN d\n",
    "heredoc behind a continuation": "FROM alpine\nRUN a && \\\n  cat <<EOF && \\\n  b\nbody\nEOF\nRUN d\n",
    "heredoc in CRLF": "FROM alpine\r\nRUN <<EOF\r\na\r\nEOF\r\nRUN d\r\n",
    "heredoc sign in quotes": "FROM alpine\nRUN echo \"x <<EOF y\" '<<EOF'\nRUN d\n",
    "heredoc sign inside a word": "FROM alpine\nRUN a<<EOF\nRUN d\n",
    "here-string": "FROM alpine\nRUN cat <<<a\nRUN d\n",
    "open quote means no heredoc": "FROM alpine\nRUN echo it's <<EOF\nRUN d\n",
    "heredoc of other instructions is none": "FROM alpine\nCMD cat <<EOF\nENV a=<<EOF\nRUN d\n",
    "heredoc in exec form is none": 'FROM alpine\nRUN ["cat", "<<EOF"]\nRUN d\n',
    "heredoc name joined by a continuation": "FROM alpine\nRUN cat <\\\n<E\\\nOF\na\nEOF\nRUN d\n",
    "escape directive does not reach heredoc names": "# escape=`\nFROM a\nRUN cat <<\\EOF\na\nEOF\nRUN d\n",
    "exec form": 'FROM alpine\nCMD [ "a b" , "\\u00e9\\n\\"", "" ]\nRUN []\n',
    "exec form over lines": 'FROM alpine\nCMD ["a", \\\n  "b"]\n',
    "not quite exec form": 'FROM alpine\nCMD [\'a\']\nCMD ["a"\nCMD ["a",]\nCMD [a]\n',
    "exec form of copies": 'FROM alpine\nCOPY ["a b", "c"]\nADD ["a", "b", "c d/"]\nVOLUME ["/a"]\n',
    "quotes mean nothing to copies": 'FROM alpine\nCOPY "a b" c\\ d e\n',
    "flags": "FROM --platform=linux/amd64 alpine AS a\nCOPY --from=a --chown=1:2 --link x y\n",
    "flags with quotes": "FROM alpine\nRUN --mount=\"type=cache,target=/a b\" --mount=type='tmpfs' id\n",
    "flags over lines": "FROM alpine\nRUN --mount=type=cache,target=/a \\\n  --network=none \\\n  id\n",
    "flags end at two dashes": "FROM alpine\nRUN -- --x y\nCMD --\n",
    "flags behind the argument are none": "FROM alpine\nRUN id --mount=type=cache\n",
    "environment": 'FROM alpine\nENV a=b c="d e" f=\'g h\' i=j\\ k l= m=""\n',
    "environment in the old form": 'FROM alpine\nENV a   b c  = "d" \nLABEL x y=z\n',
    "environment over lines": "FROM alpine\nENV a=1 \\\n    # note\n    b=2 \\\n\n    c=3\n",
    "environment with a lone escape at the end": 'FROM alpine\nENV a=b \\\v\nARG c="d\\\v\n',
    "labels": 'FROM alpine\nLABEL "com.example"="x y" a.b-c=\'d\'\n',
    "arguments": 'ARG A\nARG B=1 C="2 3" D\nFROM alpine:$B\n',
    "health checks": (
        "FROM alpine\nHEALTHCHECK --interval=5s --timeout=1s CMD curl -f localhost\n"
        'HEALTHCHECK CMD ["a", "b"]\nHEALTHCHECK NONE\nHEALTHCHECK   cmd   a\n'
    ),
    "ONBUILD": (
        'FROM alpine\nONBUILD RUN a && \\\n  b\nONBUILD COPY --chown=1 ["a", "b"]\nONBUILD ENV a=b c=d\n'
        "onbuild add a b\nONBUILD   \\\n  USER me\n"
    ),
    "ONBUILD with a heredoc": "FROM alpine\nONBUILD RUN <<EOF\na\nEOF\nRUN b\n",
    "instructions without argument": "FROM alpine\nRUN\nCMD\nENTRYPOINT \nEXPOSE\n",
    "odd white space between words": "FROM alpine\nEXPOSE 80\t443  \t 8080/udp\nVOLUME /a  /b\n",
    "other white space than blanks": "FROM alpine\nUSER\u2003me\nENV a=b\u00a0c=d\nEXPOSE 80\u00a0443\n",
    "separators that only Python takes for white space": "FROM alpine\nENV a=b\x1cc=d\nUSER me\x1f\n",
    "letters of the world": 'FROM alpine\nLABEL a="안녕 é" b=\U0001f433\nRUN echo é \\\n  ü\n',
}
"""Name to source: the instruction lists are equal."""

REFUSED: dict[str, str] = {
    "empty file": "",
    "only comments": "# a\n\n# b\n",
    "escape directive twice": "# escape=`\n# escape=\\\nFROM alpine\n",
    "escape directive with another character": "# escape=x\nFROM alpine\n",
    "heredoc without terminator": "FROM alpine\nRUN <<EOF\na\n",
    "heredoc whose terminator is indented": "FROM alpine\nRUN <<EOF\n  EOF\n",
    "heredoc with a redirection at its name": "FROM alpine\nRUN cat <<EOF>/x\na\nEOF\n",
    "shift that looks like a heredoc": "FROM alpine\nRUN echo $((1 <<2))\n",
    "numbers in exec form": 'FROM alpine\nCMD ["a", 1]\n',
    "nested arrays in exec form": 'FROM alpine\nONBUILD CMD [["a"]]\n',
    "environment without value": "FROM alpine\nENV a\n",
    "label without value among others": "FROM alpine\nLABEL a=b c\n",
    "line over 64 KiB": "FROM alpine\nRUN echo " + "x" * 70_000 + "\n",
}
"""Name to source: both refuse the file."""

DISAGREED: dict[str, tuple[str, str]] = {
    "heredoc name behind a blank": (
        "FROM alpine\nRUN cat << EOF\na\nEOF\nRUN d\n",
        "a heredoc since Dockerfile 1.16 (March 2025); before, `a` and `EOF` were instructions",
    ),
    "text behind exec form": (
        'FROM alpine\nCMD ["a"] b\n',
        "shell form since Dockerfile 1.9 (July 2024); before, the rest was ignored",
    ),
    "check directive before escape": (
        "# check=skip=all\n# escape=`\nFROM alpine\nRUN a `\n  b\n",
        "# check= is a directive since Dockerfile 1.8; before, it was a comment that ended the directives",
    ),
    "flag with an escape in a backtick file": (
        "# escape=`\nFROM alpine\nRUN --mount=type=bind,target=c:\\x id\n",
        "flags are read with the file's escape character now; before, always with the backslash",
    ),
    "letters outside ASCII in flags": (
        "FROM alpine\nCOPY --chown=é a b\n",
        "BuildKit reads flags byte by byte and spoils the letter; the letter is kept here",
    ),
    "argument of an unknown instruction": (
        "FROM alpine\nFOO a b\n",
        "BuildKit drops it, as it refuses the instruction later",
    ),
}
"""Name to source and the reason why the oracle (BuildKit 0.12.5) reads it in another way."""
