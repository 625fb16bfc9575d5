"""What Go modules are linked with: those whose packages need cgo.

Source: the modules' own sources (`import "C"`, `#cgo LDFLAGS`).
"""

from __future__ import annotations

C_LIBRARY = frozenset(
    """github.com/mattn/go-sqlite3 gorm.io/driver/sqlite github.com/mutecomm/go-sqlcipher
    github.com/xeodou/go-sqlcipher github.com/jgiannuzzi/go-sqlite3 github.com/bvinc/go-sqlite-lite
    github.com/jinzhu/gorm/dialects/sqlite github.com/confluentinc/confluent-kafka-go
    github.com/DataDog/zstd github.com/valyala/gozstd github.com/chai2010/webp
    github.com/bmatsuo/lmdb-go github.com/PowerDNS/lmdb-go github.com/yuin/gluamapper
    github.com/miekg/pkcs11 github.com/spacemonkeygo/openssl github.com/libp2p/go-openssl
    github.com/Shopify/go-lua github.com/aarzilli/golua github.com/godror/godror
    github.com/mattn/go-oci8 github.com/msteinert/pam""".split()
)
"""Modules whose packages do nothing, or do not build, without cgo; C only."""

CPP_LIBRARY = frozenset(
    """github.com/marcboeker/go-duckdb github.com/duckdb/duckdb-go github.com/tecbot/gorocksdb
    github.com/linxGnu/grocksdb github.com/jmhodges/levigo rogchap.com/v8go gocv.io/x/gocv
    github.com/otiai10/gosseract github.com/tursodatabase/go-libsql github.com/wasmerio/wasmer-go
    github.com/bytecodealliance/wasmtime-go github.com/supranational/blst github.com/h2non/bimg
    github.com/davidbyttow/govips github.com/gographics/imagick gopkg.in/gographics/imagick.v2
    gopkg.in/gographics/imagick.v3 github.com/libgit2/git2go github.com/pebbe/zmq4
    github.com/zeromq/goczmq github.com/kolesa-team/go-webp github.com/ibmdb/go_ibm_db
    github.com/go-gl/gl github.com/go-gl/glfw github.com/veandco/go-sdl2
    github.com/hajimehoshi/ebiten github.com/hajimehoshi/oto fyne.io/fyne github.com/robotn/robotgo
    github.com/go-vgo/robotgo github.com/webview/webview github.com/shogo82148/go-mecab
    github.com/coreos/go-systemd/sdjournal github.com/google/gopacket/pcap
    github.com/gopacket/gopacket/pcap github.com/ethereum/evmc github.com/herumi/bls-eth-go-binary
    github.com/yalue/onnxruntime_go github.com/knights-analytics/tokenizers
    github.com/daulet/tokenizers""".split()
)
"""The same for what is, or may be, linked with the C++ library or with libraries of the system."""

LIBC_ONLY = frozenset({"github.com/ebitengine/purego"})
"""No cgo, yet linked with the C library at run time (``cgo_import_dynamic``)."""

__all__ = ["CPP_LIBRARY", "C_LIBRARY", "LIBC_ONLY"]
