// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"testing"

	"skywatch/internal/probetest"
)

func TestMain(m *testing.M) { probetest.Main(m) }
