# SPDX-License-Identifier: MIT
#
# Debian packages by CPack, one of each component: scripts/package makes them.
#
# DEBFULLNAME and DEBEMAIL in the environment say who makes them, as to Debian's own
# tools.
set(files ${CMAKE_CURRENT_SOURCE_DIR}/debian)
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "The uaio authors")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL runtime preload tools development)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SOURCE ${PROJECT_NAME})
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_STRIP_FILES ON)
# To where it was configured for: the paths are in files and in the command already.
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_SET_DESTDIR ON)
# What Debian's helpers would do between installing and packing.
set(CPACK_PRE_BUILD_SCRIPTS ${files}/finish.cmake)
set(CPACK_UAIO_FILES ${files})
set(CPACK_UAIO_CHANGELOG ${PROJECT_SOURCE_DIR}/CHANGELOG.md)

set(name "$ENV{DEBFULLNAME}")
if(NOT name)
    set(name "The uaio authors")
endif()
set(address "$ENV{DEBEMAIL}")
if(NOT address)
    set(address uaio@example.org)
endif()
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${name} <${address}>")

# set_package(<component> <package> <section> <multi-arch> <summary> <description>)
macro(set_package component package section multiarch summary description)
    string(TOUPPER CPACK_DEBIAN_${component} prefix)
    set(${prefix}_PACKAGE_NAME ${package})
    set(${prefix}_PACKAGE_SECTION ${section})
    set(${prefix}_PACKAGE_MULTIARCH ${multiarch}) # passed over by CMake before 3.31
    set(${prefix}_PACKAGE_SHLIBDEPS ON)
    set(${prefix}_DESCRIPTION "${summary}
uaio runs POSIX aio_* and Linux native AIO on a pool of threads that make
ordinary blocking system calls.  It uses neither the kernel's AIO nor
io_uring, and so works where those are missing or refused.

${description}")
endmacro()

set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # would come before each summary
set_package(runtime libuaio0 libs same "asynchronous I/O in userspace (shared libraries)"
"This package has the libraries that programs are linked with: libuaio with
names of its own, and libuaio-rt in place of libc's AIO.")
set_package(preload libuaio-preload libs same "asynchronous I/O in userspace (under programs as they are)"
"This package has what is put under programs that are not to be changed: the
library for LD_PRELOAD, and one in place of libaio in a directory of its own.")
set_package(tools uaio utils foreign "asynchronous I/O in userspace (command)"
"This package has the command uaio.")
set_package(development libuaio-dev libdevel same "asynchronous I/O in userspace (development files)"
"This package has the headers, the archives, and what CMake and pkg-config
find them by.")

set(version "(= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS "libuaio-preload ${version}")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "libuaio0 ${version}, libuaio-preload ${version}, libc6-dev | libc-dev")
configure_file(debian/shlibs.in shlibs @ONLY)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA
    ${files}/triggers ${CMAKE_CURRENT_BINARY_DIR}/shlibs)
set(CPACK_DEBIAN_PRELOAD_PACKAGE_CONTROL_EXTRA ${files}/triggers)

include(CPack)
