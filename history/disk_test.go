// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/ncruces/go-sqlite3/vfs"
)

// disk is a file system in memory under the ncruces driver. It can record what is done to it, run full, and fail.
type disk struct {
	name string

	mu       sync.Mutex
	files    map[string][]byte
	record   bool
	log      []diskOp
	capacity int   // bytes in all; 0 = no limit
	failing  error // what every change gives; nil = none fails
}

// diskOp is one change: create, write (data), truncate, sync, delete.
type diskOp struct {
	kind string
	file string
	off  int64
	data []byte
}

var diskNumber atomic.Int64

func newDisk(t testing.TB) *disk {
	d := &disk{name: fmt.Sprintf("disk%d", diskNumber.Add(1)), files: map[string][]byte{}}
	vfs.Register(d.name, d)
	t.Cleanup(func() { vfs.Unregister(d.name) })
	return d
}

func (d *disk) engine() engine {
	return engine{driver: "sqlite3", vfs: d.name, code: ncrucesCode, size: d.size, logged: func(string) int64 { return 0 }, rename: d.rename, sync: "FULL"}
}

func ncrucesCode(err error) (int, bool) {
	var primary sqlite3.ErrorCode
	if !errors.As(err, &primary) {
		return 0, false
	}
	return int(primary), true
}

func (d *disk) size(name string) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return int64(len(d.files[name]))
}

func (d *disk) rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	content, ok := d.files[from]
	if !ok {
		return os.ErrNotExist
	}
	d.files[to] = content
	delete(d.files, from)
	return nil
}

func (d *disk) setFailing(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failing = err
}

func (d *disk) setCapacity(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capacity = n
}

// used is the sum of all files; the caller holds mu.
func (d *disk) used() (n int) {
	for _, content := range d.files {
		n += len(content)
	}
	return n
}

// change does and records one operation.
func (d *disk) change(op diskOp) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failing != nil {
		return d.failing
	}
	if op.kind == "write" && d.capacity > 0 {
		if more := int(op.off) + len(op.data) - len(d.files[op.file]); more > 0 && d.used()+more > d.capacity {
			return sqlite3.FULL
		}
	}
	apply(d.files, op)
	if d.record {
		d.log = append(d.log, op)
	}
	return nil
}

// apply makes a change in a set of files.
func apply(files map[string][]byte, op diskOp) {
	content := files[op.file]
	switch op.kind {
	case "create":
		files[op.file] = []byte{}
	case "write":
		if grow := int(op.off) + len(op.data) - len(content); grow > 0 {
			content = append(content, make([]byte, grow)...)
		}
		copy(content[op.off:], op.data)
		files[op.file] = content
	case "truncate":
		if op.off < int64(len(content)) {
			content = content[:op.off:op.off]
		}
		files[op.file] = content
	case "delete":
		delete(files, op.file)
	}
}

func (d *disk) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	d.mu.Lock()
	_, ok := d.files[name]
	d.mu.Unlock()
	if !ok {
		if flags&vfs.OPEN_CREATE == 0 {
			return nil, flags, sqlite3.CANTOPEN
		}
		if err := d.change(diskOp{kind: "create", file: name}); err != nil {
			return nil, flags, sqlite3.CANTOPEN
		}
	}
	return &diskFile{disk: d, name: name}, flags, nil
}

func (d *disk) Delete(name string, _ bool) error {
	return d.change(diskOp{kind: "delete", file: name})
}

func (d *disk) Access(name string, _ vfs.AccessFlag) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.files[name]
	return ok, nil
}

func (d *disk) FullPathname(name string) (string, error) { return name, nil }

// diskFile has no shared memory, so the store opens it with exclusive locking.
type diskFile struct {
	disk *disk
	name string
	lock vfs.LockLevel
}

func (f *diskFile) Close() error { return nil }

func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	content := f.disk.files[f.name]
	if off >= int64(len(content)) {
		return 0, io.EOF
	}
	n := copy(p, content[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	err := f.disk.change(diskOp{kind: "write", file: f.name, off: off, data: append([]byte(nil), p...)})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *diskFile) Truncate(size int64) error {
	return f.disk.change(diskOp{kind: "truncate", file: f.name, off: size})
}

func (f *diskFile) Sync(vfs.SyncFlag) error {
	return f.disk.change(diskOp{kind: "sync", file: f.name})
}

func (f *diskFile) Size() (int64, error) { return f.disk.size(f.name), nil }

func (f *diskFile) Lock(lock vfs.LockLevel) error   { f.lock = lock; return nil }
func (f *diskFile) Unlock(lock vfs.LockLevel) error { f.lock = lock; return nil }
func (f *diskFile) CheckReservedLock() (bool, error) {
	return f.lock >= vfs.LOCK_RESERVED, nil
}
func (f *diskFile) SectorSize() int { return 512 }
func (f *diskFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return vfs.IOCAP_POWERSAFE_OVERWRITE
}
