/* There are no features to choose: each header declares what it has. */
#pragma once
