module example.com/roman

go 1.22

require github.com/mitchellh/go-wordwrap v1.0.1
