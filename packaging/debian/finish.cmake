# SPDX-License-Identifier: MIT
#
# Run by CPack when the components' files are in place and not packed yet: the
# documents that Debian wants in each package, and what debhelper would compress and
# strip.
set(version ${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})
set(maintainer ${CPACK_DEBIAN_PACKAGE_MAINTAINER})
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC) # SOURCE_DATE_EPOCH, if that is set

function(run)
    execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

foreach(component IN LISTS CPACK_COMPONENTS_ALL)
    set(root ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${component}${CPACK_PACKAGING_INSTALL_PREFIX})
    if(NOT IS_DIRECTORY ${root})
        continue()
    endif()
    string(TOUPPER ${component} name)
    set(documents ${root}/share/doc/${CPACK_DEBIAN_${name}_PACKAGE_NAME})
    configure_file(${CPACK_UAIO_FILES}/copyright ${documents}/copyright COPYONLY)
    configure_file(${CPACK_UAIO_CHANGELOG} ${documents}/changelog COPYONLY)
    configure_file(${CPACK_UAIO_FILES}/changelog.in ${documents}/changelog.Debian @ONLY)

    file(GLOB pages ${root}/share/man/man*/*)
    file(GLOB_RECURSE archives ${root}/*.a)
    run(gzip -9n ${documents}/changelog ${documents}/changelog.Debian ${pages})
    if(archives)
        run(strip --strip-debug --enable-deterministic-archives ${archives})
    endif()
endforeach()
